"""Figures beside those of others: how fast, and how large? See README.md."""

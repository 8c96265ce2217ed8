"""Limits, objectives and opening hours as series."""

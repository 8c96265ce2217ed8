"""Genesys Multicloud CX: the Statistics API."""

"""Simulated Voximplant account."""

"""Simulated contact centre, the four simulated platforms that serve it, and the demo."""

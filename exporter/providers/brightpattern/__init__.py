"""Bright Pattern Real-Time Statistics API (JSON)."""

"""The commands check --live, discover and capture."""

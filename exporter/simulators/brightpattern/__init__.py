"""The Bright Pattern simulator."""

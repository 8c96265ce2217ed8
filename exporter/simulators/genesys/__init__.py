"""Simulated Genesys Multicloud CX tenant."""

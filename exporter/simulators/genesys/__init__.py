"""The Genesys simulator."""

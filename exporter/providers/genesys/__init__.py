"""Genesys Multicloud CX: the Statistics API v3, over REST and CometD."""

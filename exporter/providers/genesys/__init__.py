"""Genesys Multicloud CX (GWS): the Statistics API v3, read by push over CometD."""

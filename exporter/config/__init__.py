"""The configuration file: reading, validation, and printing without secrets."""

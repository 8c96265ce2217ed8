"""Five9 Statistics Web Services (SOAP)."""

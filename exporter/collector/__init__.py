"""Toolkit for providers: base class, HTTP client, tokens, surveys, sanitising."""

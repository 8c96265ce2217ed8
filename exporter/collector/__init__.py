"""What the author of a provider needs: base class, HTTP client, tokens, surveys, sanitising."""

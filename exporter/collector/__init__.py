"""What the author of a provider needs: the Collector base class, HTTP, tokens, surveys."""

"""The refresh schedule and the running accounts."""

"""The web server: /metrics, the status page, health checks, TLS and basic authentication."""

"""A Prometheus exporter for contact-centre platforms."""

__version__ = "0.1.0"

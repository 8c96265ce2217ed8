"""Benchmarks of the exporter beside other exporters. See README.md."""

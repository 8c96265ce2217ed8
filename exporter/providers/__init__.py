"""The platforms: one folder each, with the same doors."""

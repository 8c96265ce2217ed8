"""Figures: families, tables, and the mapping of answers to series."""

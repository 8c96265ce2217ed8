"""What is a figure: families, tables, and how an answer becomes series."""

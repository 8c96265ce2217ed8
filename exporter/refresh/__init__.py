"""When feeds are read, what happens after a failure, and which accounts run."""

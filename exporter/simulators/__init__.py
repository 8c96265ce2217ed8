"""The simulated contact centre, and the demo built on it."""

"""Simulated contact centre: agents, queues, contacts and campaigns."""

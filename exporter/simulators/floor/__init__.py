"""The simulated contact centre: agents, queues, contacts and campaigns."""

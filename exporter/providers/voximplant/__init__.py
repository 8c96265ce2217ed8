"""Voximplant: the Management API, its ACD v1 and SmartQueue."""

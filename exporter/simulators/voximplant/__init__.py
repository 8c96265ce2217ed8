"""The Voximplant simulator."""

"""The Five9 simulator."""

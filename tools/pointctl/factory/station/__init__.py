"""The station: its ports, the boards at them, and the steps for each unit."""

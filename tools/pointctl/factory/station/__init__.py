"""The station: ports, boards at them, and the turn of each unit."""

"""The firmware is the port to MicroPython 1.28: most modules answer to both names."""

OLD = False

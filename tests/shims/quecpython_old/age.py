"""The firmware is MicroPython 1.13 of 2021: u-names only (see quecpython_unames/)."""

OLD = True

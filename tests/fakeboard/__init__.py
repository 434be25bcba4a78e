"""A board without a board: the real MicroPython behind a serial port that is none."""

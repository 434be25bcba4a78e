"""A simulated board: the real MicroPython behind a pty in place of a serial port."""

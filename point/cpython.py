"""What CPython lacks of MicroPython. compat imports it there; a board never has it."""

import time


def const(value):
    return value


def ticks_ms():
    return time.monotonic_ns() // 1000000


def ticks_add(ticks, delta):
    return ticks + delta


def ticks_diff(end, start):
    return end - start


def sleep_ms(ms):
    time.sleep(ms / 1000)

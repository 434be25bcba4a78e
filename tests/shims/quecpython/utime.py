"""QuecPython's `utime`: all times that are given to it are taken for UTC+8.

localtime() without an argument is the module's, in its own zone.
"""

import vm

_time = vm.time

if vm.MICROPYTHON:
    _sleep_ms = _time.sleep_ms
    sleep_us = _time.sleep_us
    ticks_ms = _time.ticks_ms
    ticks_us = _time.ticks_us
    ticks_cpu = _time.ticks_cpu
    ticks_add = _time.ticks_add
    ticks_diff = _time.ticks_diff
else:
    from point.host.cpython import sleep_ms as _sleep_ms
    from point.host.cpython import ticks_add, ticks_diff, ticks_ms  # noqa: F401

    ticks_cpu = ticks_us = _time.perf_counter_ns

_ahead = vm.SCRIPT["clock"]
if _ahead is None:  # what it has before anybody sets it
    _ahead = 946684800 - int(_time.time())


def sleep_ms(ms):
    _sleep_ms(int(ms * vm.SCRIPT["pace"]))


def sleep(seconds):
    sleep_ms(int(seconds * 1000))


def set_unix(seconds):
    """For machine.RTC."""
    global _ahead
    _ahead = seconds - int(_time.time())


def days(year, month, day, hour, minute, second):
    """Seconds since 1970, were it UTC: from 1970 by days, as calendars have them."""
    if month < 3:
        year, month = year - 1, month + 12
    number = 365 * year + year // 4 - year // 100 + year // 400
    number += (153 * month - 457) // 5 + day - 719469
    return ((number * 24 + hour) * 60 + minute) * 60 + second


def time():
    return int(_time.time()) + _ahead


def localtime(secs=None):
    zone = vm.SCRIPT["zone"]
    seconds = time() + zone * 3600 if secs is None else secs + 28800
    return tuple(_time.gmtime(seconds))[:8]


def mktime(fields):
    if len(fields) not in (8, 9):
        raise TypeError("mktime needs a tuple of length 8 or 9")
    return days(*fields[:6]) - 28800


if vm.SCRIPT["getTimeZone"]:

    def getTimeZone():
        return vm.SCRIPT["zone"]

"""The module's clock, which shows local time, and Unix seconds.

utime.mktime() takes all times for UTC+8, whatever the module's own zone is, so it is
asked for its offset first; after that only its arithmetic counts.
"""

import utime
from machine import RTC

from point.compat import const

_KNOWN = (2024, 1, 1, 0, 0, 0, 0, 1)
_KNOWN_S = const(1704067200)  # the same as Unix seconds, were it UTC
_SET_S = const(1700000000)  # a clock below was never set


def _seconds(fields):
    """Unix seconds of a date, were it UTC."""
    return utime.mktime(fields) - utime.mktime(_KNOWN) + _KNOWN_S


def _zone_s():
    """Seconds that local time is ahead of UTC; firmware that cannot say lives at +8."""
    zone = getattr(utime, "getTimeZone", lambda: 8)()
    return zone * 3600 if -13 < zone < 15 else 0


def now():
    """Unix seconds, None if the clock was not set."""
    found = _seconds(tuple(utime.localtime())[:8]) - _zone_s()
    return found if found > _SET_S else None


def put(unix_s):
    """Set the clock, so that now() says `unix_s`."""
    ahead = _zone_s()
    for _ in range(2):  # again if this firmware's RTC does not hold local time
        _set(unix_s + ahead)
        ahead += unix_s - (now() or unix_s)


def _set(seconds):
    fields = utime.localtime(seconds)
    fields = utime.localtime(2 * seconds - _seconds(tuple(fields)[:8]))
    year, month, day, hour, minute, second, weekday = tuple(fields)[:7]
    RTC().datetime((year, month, day, weekday, hour, minute, second, 0))

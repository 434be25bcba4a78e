"""QuecPython's `machine`: a watchdog in seconds, and a clock."""

import utime
import vm


class WDT:
    """False in place of an object when there is none."""

    def __new__(cls, period):
        if type(period) is not int:
            raise TypeError("can't convert to int")
        vm.happened("WDT %d" % period)
        return object.__new__(cls) if vm.SCRIPT["watchdog"] else False

    def __init__(self, period):
        pass

    def feed(self):
        vm.happened("feed")
        return 0

    def stop(self):
        return 0


class RTC:
    def datetime(self, fields=None):
        """(year, month, day, weekday, hour, minute, second, 0), in local time."""
        if fields is None:
            now = utime.localtime()
            return now[:3] + (now[6],) + now[3:6] + (0,)
        year, month, day, _, hour, minute, second, _ = fields
        ahead = 0 if vm.SCRIPT["rtc"] == "utc" else vm.SCRIPT["zone"] * 3600
        utime.set_unix(utime.days(year, month, day, hour, minute, second) - ahead)
        return 0

"""The way through Wi-Fi, where there is one. The IMEI is still the modem's."""

import network

from point.compat import const, sleep_ms, ticks_add, ticks_diff, ticks_ms
from point.errors import OFFLINE, PointError

_STALE = const(3)  # connections in a row that failed: it may only look connected


class Wifi:
    """`settings`: ssid, and perhaps password. `feed` is called while it waits."""

    def __init__(self, settings, feed):
        self._settings = settings
        self._feed = feed
        self._station = network.WLAN(network.STA_IF)
        self.failures = 0  # connections since one worked; who makes them counts them

    def up(self, timeout_s):
        """Be connected within `timeout_s`. Raises PointError(OFFLINE)."""
        station = self._station
        if station.isconnected() and self.failures < _STALE:
            return
        end = ticks_add(ticks_ms(), int(timeout_s * 1000))
        try:
            station.active(False)  # while it tries it takes no other connect()
            station.active(True)
            station.connect(self._settings["ssid"], self._settings.get("password"))
        except OSError as error:
            raise PointError(OFFLINE, "Wi-Fi: %s" % error.args[0])
        while not station.isconnected():
            if ticks_diff(end, ticks_ms()) <= 0:
                raise PointError(OFFLINE, "Wi-Fi: status %s" % station.status())
            self._feed()
            sleep_ms(100)
        self.failures = 0

"""An ESP32 with a cellular modem on a UART; board.json says how they are wired.

What one function alone needs it imports itself: modules can then be let go.
"""

import machine

from point import stream
from point.compat import EPOCH, const, os, time
from point.digest import sha256
from point.errors import IMEI, OFFLINE, PointError

DIR = "."  # where a board starts: the root of its flash, or a folder mounted over it
VERIFIES = True

_SET = const(1700000000)  # 2023; an ESP32's clock begins in 2000
_parts = None


class _Parts:
    """What is on the board, made when it is first asked for: imei() is."""

    def __init__(self):
        import options
        from cellular import Cellular

        self.options = options.read(DIR)
        self.watchdog = self.ahead = None
        self.cellular = Cellular(self.options["modem"], self.feed, self.heard)
        self.bearer = self.cellular
        if "wifi" in self.options:
            from wifi import Wifi

            self.bearer = Wifi(self.options["wifi"], self.feed)

    def watch(self):
        """Start the watchdog, if there shall be one; nothing can stop it then."""
        if not self.watchdog and "watchdogS" in self.options:
            self.watchdog = machine.WDT(timeout=self.options["watchdogS"] * 1000)

    def feed(self):
        if self.watchdog:
            self.watchdog.feed()

    def heard(self, unix_s):
        """Note the network's time, as how far it is ahead of the clock."""
        self.ahead = unix_s and unix_s - _clock()


def _made():
    global _parts
    if not _parts:
        _parts = _Parts()
    return _parts


def imei():
    """The modem's, read before PPP takes the UART, and remembered."""
    try:
        return _made().cellular.imei()
    except PointError as error:
        if error.number == IMEI:
            _parts.watch()  # main.py ends here: let it begin again
        raise error


def online(timeout_s):
    _made().bearer.up(timeout_s)


def connect(host, port, trust, timeout_s):
    """As point.stream; what fails is counted, since a dead link may look alive."""
    bearer = _made().bearer
    failures, bearer.failures = bearer.failures + 1, 0
    try:
        return stream.connect(host, port, trust, timeout_s)
    except PointError as error:
        if error.number < OFFLINE:  # no answer
            bearer.failures = failures
        raise error


def mqtt(settings):
    """umqtt.simple over one of our streams."""
    from umqtt import simple

    from point.mqttclient import Client

    return Client(simple, connect, settings)


def _clock():
    from at import unix

    now = machine.RTC().datetime()  # year, month, day, weekday, hour, …
    return unix(now[:3] + now[4:7])


def now():
    """Unix seconds, None until something set the clock."""
    found = _clock()
    return found if found > _SET else None


def network_time():
    """What the network said when PPP was dialled, as old as it is now."""
    ahead = _made().ahead
    return None if ahead is None else _clock() + ahead


def set_clock(unix_s):
    """Set the clock by which TLS judges certificates; it survives restart()."""
    if _parts and _parts.ahead is not None:
        _parts.ahead -= unix_s - _clock()
    to = getattr(time, "gmtime", time.localtime)(unix_s - EPOCH)
    machine.RTC().datetime((to[0], to[1], to[2], to[6], to[3], to[4], to[5], 0))


def claim_key():
    """From claim.key, 64 hex digits, or from NVS, as board.json says."""
    if _made().options["claimKey"] == "nvs":
        import nvskey

        return nvskey.claim_key(DIR)
    from point.seal import key_of
    from point.store import read_setup

    return key_of(read_setup(DIR, "claim.key"))


def flash_key():
    """What binds the flash to this chip: another cannot read the credentials."""
    return sha256(b"flash" + machine.unique_id())


def random(count):
    return os.urandom(count)


def feed():
    """Feed the watchdog; the first time starts it, if board.json wants one.

    Not before: who only asks for the IMEI, as deployment does, takes its time."""
    if _parts:
        _parts.watch()
        _parts.feed()


def restart():
    machine.reset()

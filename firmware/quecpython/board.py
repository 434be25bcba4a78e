"""A Quectel module that runs QuecPython, of any age: what it can do is tried, not read.

What one function alone needs it imports itself: modules can then be let go.
"""

from point.errors import IMEI, PointError

DIR = "/usr"
VERIFIES = False  # online() asks the firmware; where it takes no CA, pins still hold

_parts = None


class _Parts:
    """What is on the board, made when it is first asked for."""

    def __init__(self):
        import quecoptions
        from quecnet import Cellular

        self.options = quecoptions.read(DIR)
        self.watchdog = None
        if "watchdogS" in self.options:
            from machine import WDT

            self.watchdog = WDT(self.options["watchdogS"])  # seconds; False: none left
        self.cellular = Cellular(self.options, feed, restart)


def _made():
    global _parts
    _parts = _parts or _Parts()
    return _parts


def imei():
    """The modem's, which it gives as text, or -1 if it was never given one."""
    import modem

    from point import imei

    try:
        found = modem.getDevImei()
    except Exception as error:
        raise PointError(IMEI, "the modem fails by " + type(error).__name__)
    if type(found) is not str:
        raise PointError(IMEI, "the modem gives none")
    return imei.check(found.strip("\0 \r\n"))


def online(timeout_s):
    """Wait for the network; redial, switch the radio or restart where that fails."""
    global VERIFIES
    from quectls import takes_ca

    VERIFIES = takes_ca()
    _made().cellular.up(timeout_s)


def connect(host, port, trust, timeout_s):
    from quecsocket import connect

    return _made().cellular.counted(connect, (host, port, trust, timeout_s))


def mqtt(settings):
    """QuecPython's umqtt over one of our streams."""
    from quecmqtt import Client, umqtt
    from quectls import connect_verified

    counted = _made().cellular.counted
    return Client(umqtt, lambda *to: counted(connect_verified, to), settings)


def now():
    """Unix seconds, None until something set the clock."""
    import quecclock

    return quecclock.now()


def network_time():
    """What the network has said last, None if it never did."""
    import net

    try:
        found = int(net.nitzTime()[1])  # -1, or (text, Unix seconds, leap seconds)
    except Exception:
        return None
    return found if found > 1700000000 else None


def set_clock(unix_s):
    import quecclock

    try:
        quecclock.put(unix_s)
    except Exception:
        pass  # a clock that stays wrong is found out by who judges certificates


def claim_key():
    """From claim.key, 64 hex digits, or from SecureData, as board.json says."""
    options = _made().options
    if options["claimKey"] == "securedata":
        import queckey

        return queckey.claim_key(DIR, options["slot"])
    from point.seal import key_of
    from point.store import read_setup

    return key_of(read_setup(DIR, "claim.key"))


def flash_key():
    """The key of the flash, made of the IMEI: the module has no other unique number."""
    from point.digest import sha256

    return sha256(b"flash" + imei().encode())


def random(count):
    from point.compat import os

    if hasattr(os, "urandom"):
        return os.urandom(count)
    import quecrandom

    return quecrandom.random(count, _secret)


def _secret():
    try:
        return claim_key()
    except PointError:
        return b""  # then there is nothing to be kept secret


def feed():
    """Feed the watchdog, if board.json wants one; it starts here."""
    if _made().watchdog:
        _parts.watchdog.feed()


def restart():
    from misc import Power

    Power.powerRestart()
    raise SystemExit  # it takes a moment

"""The unix port, and CPython, as a board: for the demo, the tests, and gateways.

What one function alone needs it imports itself: modules can then be let go.
"""

import os
import time

from point import stream
from point.compat import EPOCH
from point.digest import sha256
from point.errors import IMEI, PointError

DIR = "."  # the flash is the folder that main.py was started in
VERIFIES = True


def imei():
    """The IMEI that the environment gives: it is the hardware's, not the flash's."""
    from point import imei

    found = os.getenv("POINTACCESS_IMEI")
    if not found:
        raise PointError(IMEI, "set POINTACCESS_IMEI to the board's IMEI")
    return imei.check(found)


def online(timeout_s):
    """The host's network is there before us."""


connect = stream.connect


def mqtt(settings):
    """umqtt.simple over one of our streams."""
    from umqtt import simple

    from point.mqttclient import Client

    return Client(simple, connect, settings)


def now():
    """Unix seconds: the host keeps the clock."""
    return int(time.time()) + EPOCH


def network_time():
    """There is no network time here; the host's clock is right without it."""


def set_clock(unix_s):
    """The clock is the host's: what it says is what certificates are judged by."""


def claim_key():
    """The key that the factory gave this board, 64 hex digits in claim.key."""
    from point.seal import key_of
    from point.store import read_setup

    return key_of(read_setup(DIR, "claim.key"))


def flash_key():
    """What binds the flash to this board: here the IMEI, on a chip its unique id."""
    return sha256(b"flash" + imei().encode())


def random(count):
    return os.urandom(count)


def feed():
    """No watchdog is running."""


def restart():
    raise SystemExit

"""The unix port, and CPython, as a board: for the demo, the tests, and gateways."""

import os
import sys
import time

from point import imei as _imei
from point import stream
from point.broker import BrokerSocket
from point.compat import EPOCH
from point.errors import IMEI, PointError
from point.mqttclient import Client

DIR = "."  # the flash is the folder that main.py was started in
VERIFIES = True

_TIMEOUT_S = 30


def imei():
    """The IMEI that the environment gives: it is the hardware's, not the flash's."""
    found = os.getenv("POINTACCESS_IMEI")
    if not found:
        raise PointError(IMEI, "set POINTACCESS_IMEI to the board's IMEI")
    return _imei.check(found)


def online(timeout_s):
    """The host's network is there before us."""


connect = stream.connect


def mqtt(settings):
    """umqtt.simple over a verified connection."""
    from umqtt.simple import MQTTClient

    carrier = BrokerSocket(settings["host"], settings["trust"], _TIMEOUT_S)
    # umqtt.simple before 1.4, the one on PyPI, does not call the object it is given but
    # imports this name.
    sys.modules["ussl"] = carrier
    return Client(MQTTClient, carrier, settings)


def now():
    """Unix seconds: the host keeps the clock."""
    return int(time.time()) + EPOCH


def random(count):
    return os.urandom(count)


def feed():
    """No watchdog is running."""


def restart():
    raise SystemExit

"""MQTT brokers to connect to: mosquitto where there is one, else a small one of ours.

`mosquitto.broker()` and `embedded.broker()` make the same thing, a BrokerProcess.
"""

import os
import shutil
from pathlib import Path

from pointctl.broker.process import BrokerError, BrokerProcess

__all__ = ["BrokerError", "BrokerProcess", "find_mosquitto"]


def find_mosquitto() -> Path | None:
    """The mosquitto program; Debian keeps it where only root's PATH looks."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = shutil.which("mosquitto", path=path)
    return Path(found) if found else None

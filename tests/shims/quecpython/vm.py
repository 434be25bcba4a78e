"""What stands behind the shims: the runtime's own modules, and what tests ask for.

Nothing of this exists on a module. The test's wishes are JSON in the file that the
environment's SHIM_SCRIPT names.
"""

import sys

from age import OLD

MICROPYTHON = sys.implementation.name == "micropython"


def _builtin(name):
    """The runtime's own module, though the path may hold another of that name."""
    if not MICROPYTHON:
        return __import__(name)
    path = sys.path[:]
    sys.path[:] = []
    try:
        return __import__(name)
    finally:
        sys.path[:] = path


io = _builtin("io")
json = _builtin("json")
os = _builtin("os")
socket = _builtin("socket")
time = _builtin("time")
binascii = _builtin("binascii")
tls = _builtin("tls" if MICROPYTHON else "ssl")


def _script():
    found = {
        "pace": 1,  # sleeps and waits take so much of their time
        "sim": 1,  # ready
        "network": 1,  # registered, at home
        "call": 1,  # the data call is up
        "checkNet": "class" if OLD else "ready",  # or "module": the age of its API
        "nitz": None,  # Unix seconds, as the network tells them
        "clock": None,  # seconds that the clock is ahead of the true one; None: not set
        "zone": 8,  # hours; getTimeZone: whether the firmware can tell
        "getTimeZone": True,
        "rtc": "local",  # what machine.RTC holds; or "utc"
        "fin": 107 if OLD else None,  # the errno that tells the end; None: b"" does
        "states": True,  # getsocketsta() counts as lwIP does
        "ca": not OLD,  # ussl takes one
        "peercert": True,
        "apnFails": False,
        "watchdog": True,
        "adcMv": 1234,
        "cured": None,  # what brings the network back: "radio" or "dial"
        "secureData": None,  # the file that stands in for it
        "secureDataFails": False,
    }
    path = os.getenv("SHIM_SCRIPT")
    if path:
        with open(path) as file:
            given = json.load(file)
        for name in given:
            found[name]  # a misspelt wish is a KeyError
        found.update(given)
    return found


SCRIPT = _script()


EVENTS = []  # what was done to the module


def happened(event):
    """Write down what was done to the module."""
    EVENTS.append(event)

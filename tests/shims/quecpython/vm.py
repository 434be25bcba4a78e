"""What stands behind the shims: the runtime's own modules, and what tests ask for.

Nothing of this exists on a module. The test's wishes are JSON in the file that the
environment's SHIM_SCRIPT names.
"""

import sys

MICROPYTHON = sys.implementation.name == "micropython"


def builtin(name):
    """The runtime's own module, though the path holds another of that name."""
    if not MICROPYTHON:
        return __import__(name)
    path = sys.path[:]
    sys.path[:] = []
    try:
        return __import__(name)
    finally:
        sys.path[:] = path
        sys.modules.pop(name, None)


def _script():
    found = {
        "age": None,  # of the firmware: "old" or "new"
        "sim": 1,  # ready
        "network": 1,  # registered, at home
        "call": 1,  # the data call is up
        "checkNet": None,  # "class", "module" or "ready": the age of its API
        "nitz": None,  # Unix seconds, as the network tells them
        "clock": None,  # seconds that the clock is ahead of the true one; None: not set
        "zone": 8,
        "rtc": "local",  # what machine.RTC holds; or "utc"
        "fin": 107,  # the errno that tells the end of a connection; None: b"" does
        "peercert": True,
        "secureData": None,  # the file that stands in for it; None: no such module
        "watchdog": True,
        "events": None,  # a file that hears of what was done to the module
    }
    path = builtin("os").getenv("SHIM_SCRIPT")
    if path:
        with open(path) as file:
            found.update(builtin("json").load(file))
    return found


SCRIPT = _script()


def plant(age, names):
    """Put the modules quec_<name> in the place of what the runtime has for <name>.

    MicroPython gives its own for a u-name, whatever the path holds.
    """
    SCRIPT["age"] = age
    old = age == "old"
    SCRIPT["checkNet"] = SCRIPT["checkNet"] or ("class" if old else "ready")
    if not old:
        SCRIPT["fin"] = None
    for name in names:
        sys.modules[name] = __import__("quec_" + name)


def happened(event):
    """Write down what was done to the module."""
    if SCRIPT["events"]:
        with open(SCRIPT["events"], "a") as file:
            file.write(event + "\n")

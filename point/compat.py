"""The runtime's names under one spelling: the only file that knows the runtime.

Each name is tried as old MicroPython spells it (`ujson`) and then as everybody else
does, because QuecPython's 1.13 build has no aliases. Features are probed, never
versions.
"""

import gc

try:
    import micropython

    _PREFIX = "u"
except ImportError:  # CPython, where ujson is another package
    micropython = None
    _PREFIX = ""


def _module(name):
    try:
        return __import__(_PREFIX + name)
    except ImportError:
        return __import__(name)


binascii = _module("binascii")
hashlib = _module("hashlib")
io = _module("io")
json = _module("json")
os = _module("os")
socket = _module("socket")
struct = _module("struct")
sys = _module("sys")
time = _module("time")

try:
    import tls  # MicroPython since 1.23; before, and on CPython, it is ssl
except ImportError:
    tls = _module("ssl")

if micropython:
    const = micropython.const
    aes = _module("cryptolib").aes

    sleep_ms = time.sleep_ms
    ticks_add = time.ticks_add
    ticks_diff = time.ticks_diff
    ticks_ms = time.ticks_ms

    hmac_digest = None
else:
    from .host.cpython import (
        aes,
        const,
        hmac_digest,
        sleep_ms,
        ticks_add,
        ticks_diff,
        ticks_ms,
    )

_POINT = __name__[: __name__.rfind(".") + 1]

# Seconds from 1970 to where this runtime's clock begins: 2000 on most boards.
EPOCH = 0 if time.localtime(86400)[0] == 1970 else 946684800


def loaded():
    """The names of the modules of point that are in memory."""
    return {name for name in sys.modules if name.startswith(_POINT)}


def unload(names):
    """Free the memory of modules; an import loads them again. Only boards need this."""
    if micropython:
        for name in names:
            sys.modules.pop(name, None)
            at = name.rfind(".")
            package = sys.modules.get(name[:at])
            if hasattr(package, name[at + 1 :]):
                delattr(package, name[at + 1 :])
    gc.collect()


class _Tracker:
    """Knows the modules of point that were loaded while it was entered."""

    def __init__(self):
        self._depth = 0
        self._names = set()

    def __enter__(self):
        if not self._depth:
            self._before = loaded()
        self._depth += 1

    def __exit__(self, *error):
        self._depth -= 1
        if not self._depth:
            self._names.update(loaded() - self._before)

    def unload(self):
        """Let them go."""
        unload(self._names)
        self._names.clear()


# What is loaded with this is let go once there are credentials: MQTT needs the memory.
provisioning = _Tracker()


def crc32(data):
    """CRC-32 (IEEE 802.3) of bytes, also where the firmware's binascii lacks it."""
    if hasattr(binascii, "crc32"):
        return binascii.crc32(data) & 0xFFFFFFFF
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

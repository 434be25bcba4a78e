"""ESP32's `machine`, as far as firmware/esp32 and its examples use it.

Signatures and errors are those of MicroPython's ports/esp32. There is one modem behind
every UART: scripted.Scripted in this process, or whatever a pty leads to.
"""

import sys
import time as _time

import scripted

from point import compat

_script = scripted.load()
_born = compat.ticks_ms()
_watchdog = None
modem = None if _script["uart"] else scripted.Scripted(_script)


def _ticks():
    """Time, during which a watchdog may have had enough."""
    if _watchdog and compat.ticks_diff(compat.ticks_ms(), _watchdog.until) > 0:
        print("Task watchdog got triggered")
        reset()
    return compat.ticks_ms()


def reset():
    sys.stdout.flush() if hasattr(sys.stdout, "flush") else None
    raise SystemExit


def unique_id():
    return b"\x24\x0a\xc4\x01\x02\x03"


def freq():
    return 160000000


class Pin:
    IN = 1
    OUT = 3
    PULL_UP = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None):
        if type(id) is not int or not 0 <= id <= 54:
            raise ValueError("invalid pin")
        self._id = id
        self._value = 0
        if value is not None:
            self.value(value)

    def value(self, x=None):
        if x is None:
            return self._value
        self._value = int(bool(x))
        if modem:
            modem.key(self._id, self._value)

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, *, atten=0):
        if not isinstance(pin, Pin):
            raise ValueError("invalid pin")

    def read_uv(self):
        return _script["adcUv"]


class UART:
    IRQ_RXIDLE = 0x1000
    RTS = 1
    CTS = 2
    _KEYS = "tx rx rts cts txbuf rxbuf timeout timeout_char invert flow".split()
    ppp = None  # the network.PPP that the line belongs to

    def __init__(self, id, baudrate=0, bits=8, parity=None, stop=1, **more):
        if type(id) is not int or not 0 <= id <= 4:
            raise ValueError("UART(%s) does not exist" % id)
        for key in more:
            if key not in self._KEYS:
                raise TypeError("extra keyword arguments given")
        self.handler = None
        self._line = _Pty(_script["uart"]) if _script["uart"] else _Wire()

    def any(self):
        return self._line.any()

    def read(self, nbytes=None):
        """Bytes, or None: the default timeout is 0."""
        self._free()
        return self._line.read(nbytes) or None

    def write(self, buf):
        self._free()
        self._line.write(bytes(buf))
        return len(buf)

    def irq(self, handler=None, trigger=0, hard=False):
        self.handler = handler

    def _free(self):
        """PPP reads what comes, and a byte of somebody else's spoils its frames."""
        _ticks()
        if UART.ppp:
            UART.ppp.spoil()

    def frames(self):
        """For network.PPP: what came since."""
        return self._line.read(None)

    def send(self, frame):
        """For network.PPP."""
        self._line.write(frame)


class _Wire:
    """To the modem of this process."""

    def __init__(self):
        self._came = b""

    def any(self):
        self._came += modem.say()
        return len(self._came)

    def read(self, most):
        came, self._came = self._came, b""
        return came or modem.say(most)

    def write(self, data):
        modem.hear(data)


class _Pty:
    """To a modem at the other end of a pty, whose settings that end has made."""

    def __init__(self, path):
        import select

        self._file = open(path, "r+b", 0)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)

    def any(self):
        return 1 if self._poll.poll(0) else 0

    def read(self, most):
        data = b""
        while (not most or len(data) < most) and self._poll.poll(0):
            more = self._file.read(1)
            if not more:
                break
            data += more
        return data

    def write(self, data):
        self._file.write(data)


class RTC:
    """It begins in 2000, as after power-up."""

    _ahead_s = 0

    def datetime(self, datetimetuple=None):
        ticked = compat.ticks_diff(compat.ticks_ms(), _born) // 1000
        if datetimetuple is None:
            now = 946684800 + RTC._ahead_s + ticked
            to = _time.gmtime(now)
            return (to[0], to[1], to[2], to[6], to[3], to[4], to[5], 0)
        if len(datetimetuple) != 8:
            raise ValueError("requested length 8 but object has length")
        year, month, day, _, hour, minute, second, _ = datetimetuple
        days = 0
        for each in range(2000, year):
            days += 366 if _leaps(each) else 365
        lengths = (31, 29 if _leaps(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30)
        days += sum(lengths[: month - 1]) + day - 1
        RTC._ahead_s = ((days * 24 + hour) * 60 + minute) * 60 + second - ticked


def _leaps(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


class WDT:
    """One for all, and nothing stops it."""

    def __new__(cls, id=0, timeout=5000):
        global _watchdog
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        if not _watchdog:
            _watchdog = object.__new__(cls)
        _watchdog._timeout = timeout
        _watchdog.until = compat.ticks_add(compat.ticks_ms(), timeout)
        return _watchdog

    def feed(self):
        now = _ticks()
        self.until = compat.ticks_add(now, self._timeout)

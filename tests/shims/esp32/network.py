"""ESP32's `network`: PPP as it is since MicroPython 1.26 and as it was, and WLAN.

PPP comes up when the modem on its stream is in data mode and answers. Then sockets are
the host's, on the loopback (usocket.py beside this sees to it that it was so).
"""

import machine

from point import compat

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202

_INACTIVE, _ACTIVE, _ERROR, _CONNECTING, _CONNECTED = range(5)
_EALREADY = 114  # newlib numbers it 120; nobody looks
_CLOSING_MS = 300
_AUTH = ("NONE", "PAP", "CHAP")
_wlan = None
_pumped = [0]  # how often somebody has polled; no attribute, threads come by here


def up():
    """Whether anything carries sockets; firmware has no such function."""
    ppp = machine.UART.ppp
    return bool(ppp and ppp.isconnected() or _wlan and _wlan.isconnected())


def resolves():
    """Whether a name can be asked for: the thread that asks reads no UART meanwhile."""
    if not isinstance(machine.UART.ppp, _New):
        return True  # Wi-Fi, or a PPP that has a thread of its own
    before = _pumped[0]
    for _ in range(200):
        if _pumped[0] != before:
            return True
        compat.sleep_ms(10)
    return False


class _Ppp:
    """What both ages share."""

    def __init__(self, stream):
        if not hasattr(stream, "read") or not hasattr(stream, "write"):
            raise OSError("stream operation not supported")
        self._stream = stream
        self._state = _INACTIVE
        self._spoilt = False
        self._came = b""
        self._closes = None

    def isconnected(self):
        self._poll()
        return self._state == _CONNECTED

    def ifconfig(self, *config):
        return ("10.64.0.2", "10.64.64.64", "255.255.255.255", "10.0.0.53")

    def spoil(self):
        """Somebody reads or writes below us, or before we are gone."""
        self._spoilt = True

    def _dial(self, auth, user, key):
        if auth not in (0, 1, 2):
            raise ValueError("invalid auth")
        if auth and not (isinstance(user, str) and isinstance(key, str)):
            raise TypeError("can't convert 'NoneType' object to str implicitly")
        if self._state in (_CONNECTING, _CONNECTED):
            raise OSError(_EALREADY)
        if self._state == _ERROR or machine.UART.ppp not in (None, self):
            raise OSError("ppp_connect failed")
        machine.UART.ppp = self
        self._state = _CONNECTING
        self._stream.send(("~UP %s %s %s~" % (_AUTH[auth], user, key)).encode())

    def _poll(self):
        if self._state < _CONNECTING:
            return
        self._came += self._stream.frames() or b""
        if b"~UP~" in self._came and self._state == _CONNECTING:
            self._state = _ERROR if self._spoilt else _CONNECTED
        elif b"~REFUSED~" in self._came:
            self._state = _ERROR
        elif b"NO CARRIER" in self._came:
            self._state = _ERROR
        else:
            return
        self._came = b""
        if self._state == _ERROR:
            machine.UART.ppp = None

    def _hang_up(self):
        self._stream.send(b"~DOWN~")
        self._closes = compat.ticks_add(compat.ticks_ms(), _CLOSING_MS)

    def _gone(self):
        """True once the closing handshake is over."""
        if compat.ticks_diff(self._closes, compat.ticks_ms()) > 0:
            return False
        self._stream.frames()
        self._state = _INACTIVE
        machine.UART.ppp = None
        return True


class _New(_Ppp):
    """It still has the old names, too; whoever goes by them gets the old ways."""

    SEC_NONE, SEC_PAP, SEC_CHAP = range(3)
    AUTH_NONE, AUTH_PAP, AUTH_CHAP = range(3)
    _latest = None
    _unfinished = False

    def __init__(self, stream):
        _Ppp.__init__(self, stream)
        before, _New._latest = _New._latest, self
        # Some time its finaliser disables the interrupt of their common UART; and one
        # that was not done closing takes this one's bytes.
        if before and (before._stream is stream or before._unfinished):
            self._spoilt = True

    def config(self, *what, stream=False):
        if what:
            return {"stream": self._stream}[what[0]]
        if stream is None and self._state >= _ACTIVE:
            self._stream.irq(None)
            if machine.UART.ppp is self:
                machine.UART.ppp = None
                self._unfinished = True
            self._state = _ERROR
        self._stream = stream

    def active(self, wanted=None):
        return self._state >= _ACTIVE

    def connect(
        self,
        *,
        security=-1,
        user=None,
        key=None,
        authmode=0,
        username=None,
        password=None,
    ):
        security = authmode if security == -1 else security
        user, key = user or username, key or password
        if not hasattr(self._stream, "IRQ_RXIDLE"):
            raise AttributeError("'UART' object has no attribute 'IRQ_RXIDLE'")
        self._dial(security, user, key)
        self._stream.irq(self.poll, self._stream.IRQ_RXIDLE)

    def disconnect(self):
        if self._state in (_CONNECTING, _CONNECTED) and not self._closes:
            self._hang_up()

    def isconnected(self):
        if self._closes and self._state in (_CONNECTING, _CONNECTED):
            return not self._gone() and self._state == _CONNECTED
        return _Ppp.isconnected(self)

    def status(self):
        """A state, or an error as a negative number."""
        self.isconnected()
        return -6 if self._state == _ERROR else self._state

    def poll(self, stream=None):
        _pumped[0] += 1
        return 0

    def ipconfig(self, param):
        return {"addr4": ("10.64.0.2", "255.255.255.255")}[param]


class _Old(_Ppp):
    AUTH_NONE, AUTH_PAP, AUTH_CHAP = range(3)

    def active(self, wanted=None):
        """True makes it ready, False ends everything and waits for it."""
        if wanted is True and self._state == _INACTIVE:
            self._state = _ACTIVE
        elif wanted is False and self._state != _INACTIVE:
            if self._state in (_CONNECTING, _CONNECTED):
                self._hang_up()
                while not self._gone():
                    compat.sleep_ms(10)
            self._state = _INACTIVE
        return self._state != _INACTIVE

    def connect(self, *, authmode=0, username=None, password=None):
        if self._state == _INACTIVE:
            raise OSError("must be active")
        self._dial(authmode, username, password)

    def status(self):
        return None


def PPP(stream):
    """In old firmware it is a function; nobody may take it for a class."""
    return (_Old if machine._script["api"] == "old" else _New)(stream)


class WLAN:
    """The station. Its access point is the script's "wifi"."""

    def __new__(cls, interface_id=STA_IF):
        global _wlan
        if interface_id not in (STA_IF, AP_IF):
            raise ValueError("invalid WLAN interface identifier")
        if not _wlan:
            _wlan = object.__new__(cls)
            _wlan._active, _wlan._status = False, STAT_IDLE
        return _wlan

    def active(self, is_active=None):
        if is_active is not None and bool(is_active) != self._active:
            self._active, self._status = bool(is_active), STAT_IDLE
        return self._active

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Internal State Error")
        if self._status == STAT_CONNECTING:
            raise OSError("Wifi Internal Error")
        ap = machine._script["wifi"] or {}
        self._verdict = STAT_GOT_IP
        if ssid != ap.get("ssid"):
            self._verdict = STAT_NO_AP_FOUND
        elif key != ap.get("password"):
            self._verdict = STAT_WRONG_PASSWORD
        self._status = STAT_CONNECTING
        self._until = compat.ticks_add(compat.ticks_ms(), ap.get("afterMs", 200))

    def status(self, param=None):
        if self._status == STAT_CONNECTING:
            if compat.ticks_diff(self._until, compat.ticks_ms()) <= 0:
                self._status = self._verdict
        return self._status

    def isconnected(self):
        return self.status() == STAT_GOT_IP

    def disconnect(self):
        self._status = STAT_IDLE

"""Streams over QuecPython's usocket, which end in time and say what happened.

point.stream sees ordinary sockets here, and TLS is quectls'.
"""

import usocket

from point.compat import const, ticks_add, ticks_diff, ticks_ms
from point.errors import CLOSED, CONNECT, DNS, PointError, refine
from point.stream import Stream

_FIN = const(107)  # ENOTCONN: how some firmware says that the peer has closed
_NO_MORE = (11, 110, 116)  # EAGAIN and ETIMEDOUT: the time that was given is over
_ESTABLISHED = const(4)  # of lwIP's states; those below have no connection
_MOST_S = const(5)  # longer waits are rounded down to a multiple of it
_CONNECT_S = const(24)  # a longer limit is none at all, and neither is one below 1


class _Socket:
    """A usocket as point.stream expects one: it waits as long as its time-out says."""

    def __init__(self, sock):
        self._sock = sock
        self._timeout_s = 0
        self._early = b""
        self._ended = False

    def check(self):
        """Raise PointError(CONNECT) if there is no connection after all."""
        self._sock.settimeout(0)
        try:
            self._early = self._sock.recv(1)
        except OSError as error:
            if error.args[0] not in _NO_MORE:
                raise PointError(CONNECT, "refused")

    def setsockopt(self, level, option, value):
        """Do nothing: there is no TCP_NODELAY, and setting it warns on the console."""

    def settimeout(self, timeout_s):
        self._timeout_s = timeout_s

    def recv(self, most):
        """As everywhere; but after the end, firmware gives stale errors."""
        if self._ended or self._early:
            data, self._early = self._early, b""
            return data
        try:
            data = self._waiting(self._sock.recv, most)
        except OSError as error:
            if error.args[0] != _FIN:
                raise
            data = b""
        self._ended = not data
        return data

    def send(self, data):
        return self._waiting(self._sock.send, data)

    def close(self):
        self._sock.close()

    def _waiting(self, call, argument):
        end = ticks_add(ticks_ms(), int(self._timeout_s * 1000))
        while True:
            left = max(0, ticks_diff(end, ticks_ms()))
            self._sock.settimeout(min(left / 1000, _MOST_S))
            try:
                return call(argument)
            except OSError as error:
                if error.args[0] not in _NO_MORE or ticks_diff(end, ticks_ms()) <= 0:
                    raise


class _Stream(Stream):
    def secure(self, host, trust):
        """As Stream's, by ussl."""
        from quectls import shake_hands

        try:
            self._set_timeout()
            self._tls = shake_hands(self, host, trust)
        except (OSError, ValueError) as error:
            raise refine(error, CLOSED)


def connect(host, port, trust, timeout_s):
    """As in firmware/template/board.py."""
    end = ticks_add(ticks_ms(), int(timeout_s * 1000))
    try:
        found = usocket.getaddrinfo(host, port)[0]
    except Exception:  # an empty list in the main; OSError, ValueError
        raise PointError(DNS, "cannot resolve the server's name")
    sock = None
    try:
        try:
            sock = usocket.socket(found[0], usocket.SOCK_STREAM)
            stream = _Stream(_Socket(sock), ticks_diff(end, ticks_ms()) / 1000)
            stream._set_timeout()
            left = ticks_diff(end, ticks_ms()) // 1000
            sock.settimeout(min(max(left, 1), _CONNECT_S))
            sock.connect(found[-1])
            # With a time-out, some firmware takes any answer for a connection, RST too.
            if hasattr(sock, "getsocketsta") and sock.getsocketsta() < _ESTABLISHED:
                stream._sock.check()  # or it counts states in its own way
        except OSError as error:
            raise refine(error, CONNECT)
        if trust is not None:
            stream.secure(host, trust)
        return stream
    except PointError:
        if sock:
            sock.close()
        raise

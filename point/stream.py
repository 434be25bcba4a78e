"""A TCP connection, perhaps under TLS, whose every step ends by one deadline.

MicroPython restarts a socket's timeout with each byte, so a peer that drips could hold
a board for ever. Here every call looks at the deadline first, TLS's own calls too.
"""

from .compat import const, socket, ticks_add, ticks_diff, ticks_ms
from .errors import CLOSED, CONNECT, DNS, PointError, refine

_ETIMEDOUT = const(110)
_NOTHING_YET = (11, 2)  # EAGAIN; CPython's SSL_ERROR_WANT_READ


class Stream:
    """Bytes in and out of a connected socket, all before a deadline.

    While `waits` is False a read returns None when nothing has arrived.
    """

    def __init__(self, sock, timeout_s):
        sock.setsockopt(6, 1, 1)  # TCP_NODELAY: without it each exchange stalls 44 ms
        self._sock = sock
        self._tls = None
        self.waits = True
        self.within(timeout_s)

    def within(self, timeout_s):
        """Set the deadline, `timeout_s` seconds from now, for all that follows."""
        self._deadline = ticks_add(ticks_ms(), int(timeout_s * 1000))

    def _set_timeout(self):
        left = ticks_diff(self._deadline, ticks_ms())
        if left <= 0:
            raise OSError(_ETIMEDOUT)
        self._sock.settimeout(left / 1000 if self.waits else 0)

    def receive(self, most):
        """Up to `most` bytes below TLS; None if nothing has come. Raises OSError."""
        return self._try(self._sock.recv, most)

    def send(self, data):
        """Send what the socket takes below TLS, return how much. Raises OSError."""
        return self._try(self._sock.send, data)

    def _try(self, call, argument):
        self._set_timeout()
        try:
            return call(argument)
        except OSError as error:
            if error.args[0] not in _NOTHING_YET:
                raise
            if self.waits:  # the unix port's way to say that the time is up
                raise OSError(_ETIMEDOUT)

    def secure(self, host, trust):
        """Shake hands. `trust` as in point.trust.wrap(); if empty, nothing is verified.

        Raises PointError(TLS, TLS_NAME, TLS_CA, TLS_DATE, TLS_PIN, TIMEOUT or CLOSED).
        """
        from . import trust as trusted

        try:
            self._set_timeout()
            self._sock, self._tls = trusted.wrap(self, self._sock, host, trust)
        except (OSError, ValueError) as error:
            raise refine(error, CLOSED)

    def read(self, count):
        """`count` bytes, fewer only at the end of the stream. Raises PointError."""
        data = b""
        try:
            while len(data) < count:
                wanted = count - len(data)
                more = self._tls.read(wanted) if self._tls else self.receive(wanted)
                if more is None and not data:
                    return None
                if not more:
                    break
                data += more
                if self._tls and len(more) < wanted:
                    break  # close_notify; who looks again waits for the socket's end
        except (OSError, ValueError) as error:
            raise refine(error, CLOSED)
        return data

    def write(self, data):
        """Write all of `data`, in one TLS record if it fits. Raises PointError."""
        data = memoryview(data)
        try:
            while data:
                sent = self._tls.write(data) if self._tls else self.send(data)
                data = data[sent:]
        except (OSError, ValueError) as error:
            raise refine(error, CLOSED)

    def close(self):
        """Close without waiting and without complaint."""
        for end in (self._tls, self._sock):
            try:
                if end:
                    end.close()
            except OSError:
                pass  # it is closed all the same


def connect(host, port, trust=None, timeout_s=30):
    """Return a Stream to host:port. `trust` None: plain TCP; else see Stream.secure().

    One deadline covers connecting, the handshake and what follows. Raises PointError
    (DNS, CONNECT, TIMEOUT, CLOSED or TLS*), with the socket closed.
    """
    begun = ticks_ms()
    sock = None
    try:
        try:
            # The resolver has time-outs of its own, which no runtime lets us shorten.
            found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
        except (OSError, IndexError, ValueError):  # CPython: UnicodeError for "a..b"
            raise PointError(DNS, "cannot resolve the server's name")
        try:
            sock = socket.socket(found[0], found[1], found[2])
            stream = Stream(sock, timeout_s - ticks_diff(ticks_ms(), begun) / 1000)
            stream._set_timeout()
            sock.connect(found[-1])
        except OSError as error:
            raise refine(error, CONNECT)
        if trust is not None:
            stream.secure(host, trust)
        return stream
    except PointError:
        if sock:
            sock.close()
        raise

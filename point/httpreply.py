"""An HTTP/1.1 reply, read from a stream with small limits (RFC 9112)."""

from .compat import const
from .errors import CLOSED, MALFORMED, TOO_LARGE, PointError
from .protocol import MAX_BODY

_HEAD_BYTES = const(2048)
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")
_HEX_DIGITS = b"0123456789abcdefABCDEF"


class Reply:
    """One reply; what does not end, is too large or is not HTTP raises PointError."""

    def __init__(self, stream):
        self._stream = stream
        self._head_left = _HEAD_BYTES
        self.last = False  # True if the server closes the connection after it

    def _exactly(self, count):
        data = self._stream.read(count)
        if len(data) < count:  # a FIN raises nothing: only counting shows a cut reply
            raise PointError(CLOSED, "the reply was cut short")
        return data

    def _line(self):
        line = b""
        while not line.endswith(b"\n"):
            line += self._exactly(1)
            self._head_left -= 1
            if self._head_left < 0:
                raise PointError(TOO_LARGE, "the reply's head")
        return line.strip()

    def read(self):
        """(status, body); `last` is known after it."""
        status = 100
        while status < 200:  # "100 Continue" and its kind come before the reply
            status = self._status()
            headers = self._headers()
        if headers.get(b"connection", b"").lower() == b"close":
            self.last = True
        if headers.get(b"transfer-encoding"):
            if headers[b"transfer-encoding"].lower() != b"chunked":
                raise PointError(MALFORMED, "transfer encoding")
            return status, self._chunks()
        if b"content-length" in headers:
            return status, self._exactly(self._size(headers[b"content-length"], 10))
        self.last = True
        body = self._stream.read(MAX_BODY + 1)
        _fits(len(body))
        return status, body

    def _status(self):
        line = self._line().split(None, 2)
        self.last = line[:1] == [b"HTTP/1.0"]
        status = line[1] if len(line) > 1 and line[0].startswith(b"HTTP/1.") else b""
        if len(status) != 3 or not status.isdigit():
            raise PointError(MALFORMED, "not an HTTP reply")
        return int(status)

    def _headers(self):
        headers = {}
        line = self._line()
        while line:
            at = line.find(b":")
            name = line[: max(at, 0)].lower()
            value = line[at + 1 :].strip()
            if not name or headers.get(name, value) != value:
                raise PointError(MALFORMED, "header")
            if name in _FRAMING:  # only these: Set-Cookie and others may come twice
                headers[name] = value
            line = self._line()
        return headers

    def _size(self, digits, base):
        try:
            size = int(str(digits, "ascii"), base)
        except (ValueError, UnicodeError):
            size = -1
        # int() forgives signs, blanks, underscores and 0x; a header may not.
        if size < 0 or digits.strip(_HEX_DIGITS):
            raise PointError(MALFORMED, "length")
        _fits(size)
        return size

    def _chunks(self):
        body = b""
        while True:
            size = self._size(self._line().split(b";")[0], 16)
            if not size:
                self._headers()  # trailers, to the empty line
                return body
            body += self._exactly(size)
            _fits(len(body))
            if self._line():
                raise PointError(MALFORMED, "chunk")


def _fits(size):
    if size > MAX_BODY:
        raise PointError(TOO_LARGE, "over %d bytes" % MAX_BODY)

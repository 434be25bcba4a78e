"""A POST or GET with one deadline, small limits, and no redirects.

Just enough of HTTP/1.1 (RFC 9112) for one exchange with a provisioning server.
"""

from .compat import json
from .errors import OPTION, PointError
from .httpreply import Reply
from .url import split

FORM = "application/x-www-form-urlencoded"
_OURS = ("host", "content-type", "content-length", "transfer-encoding", "connection")


class HttpClient:
    """The server at `url`, asked over one connection as long as it holds.

    `connect(host, port, trust, timeout_s)` gives a Stream (point.stream). With `trust`
    (point.trust) nothing is sent before the server is verified.
    """

    def __init__(self, connect, url, trust, timeout_s):
        self._secure, self._authority, self._host, self._port, self._path = split(url)
        if trust and not self._secure:
            raise PointError(OPTION, "what is trusted needs an https url")
        self._connect = connect
        self._trust = (trust or {}) if self._secure else None
        self._timeout_s = timeout_s
        self._stream = None

    def post(self, data, headers=None):
        """POST `data` as JSON, return (status, body). Raises PointError."""
        try:
            body = json.dumps(data).encode()
        except (TypeError, ValueError):
            raise PointError(OPTION, "the request's data is not JSON")
        return self.send(body, "application/json", headers)

    def send(self, body, media_type, headers=None, path=None):
        """POST bytes, or GET if `body` is None, at another `path`; else as post()."""
        request = self._request(body, media_type, headers, path or self._path)
        if not self._stream:  # its one deadline is that of the whole conversation
            self._stream = self._connect(
                self._host, self._port, self._trust, self._timeout_s
            )
        self._stream.write(request)  # one write, so one TLS record and one segment
        reply = Reply(self._stream)
        answer = reply.read()
        if reply.last:
            self.close()
        return answer

    def close(self):
        if self._stream:
            self._stream.close()
            self._stream = None

    def _request(self, body, media_type, headers, path):
        method = "GET" if body is None else "POST"
        head = "%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, path, self._authority)
        if body is not None:
            head += "Content-Type: %s\r\n" % media_type
            head += "Content-Length: %d\r\n" % len(body)
        for name in headers or ():
            line = "%s: %s" % (name, headers[name])
            if "\r" in line or "\n" in line:
                raise PointError(OPTION, "a header holds a line break")
            if name.lower() not in _OURS:
                head += line + "\r\n"
        return head.encode() + b"\r\n" + (body or b"")

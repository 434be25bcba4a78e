"""One HTTPS request under a deadline over all of it, with a cap on what comes back.

Each has a connection of its own. One that was kept might have been closed meanwhile,
and then nobody could say whether a POST on it had arrived.
"""

import email.utils
import logging
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx2

from point import __version__
from pointctl.errors import BadReply, CloudError, NoReply, Unreachable, Untrusted

_CHUNK = 1 << 16
_LONGEST_S = 24 * 3600  # that a Retry-After is believed

# At their usual levels these tell URLs and headers, which may hold secrets.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Reply:
    """A whole reply."""

    status: int
    body: bytes
    retry_after_s: float | None


class Connection:
    """Sends requests to servers whose certificates hold."""

    def __init__(self, ca: Path | None) -> None:
        self._client = httpx2.Client(
            verify=_trust(ca),
            limits=httpx2.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            headers={
                "User-Agent": f"pointctl/{__version__}",
                "Accept-Encoding": "identity",  # a packed reply could be any size
            },
        )

    def close(self) -> None:
        """Ask no more."""
        self._client.close()

    def exchange(
        self, method: str, url: str, within_s: float, most: int, **content: Any
    ) -> Reply:
        """One request, and the whole of its reply, of at most `most` bytes.

        Raises Unreachable, Untrusted, NoReply, BadReply.
        """
        with _Deadline(within_s) as deadline:
            content["extensions"] = {"trace": deadline.watch}
            content["timeout"] = within_s
            try:
                with self._client.stream(method, url, **content) as response:
                    return _read(response, most)
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
                raise _told(error, within_s) from None


class _Deadline:
    """Cuts a connection when the time is up; a peer that drips would have more."""

    def __init__(self, within_s: float) -> None:
        self._timer = threading.Timer(within_s, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None

    def watch(self, _event: str, info: dict[str, Any]) -> None:
        """Called with each step of a request: take hold of the socket."""
        stream = info.get("return_value")
        if stream is not None and hasattr(stream, "get_extra_info"):
            with self._lock:
                self._socket = stream.get_extra_info("socket")
            if self._is_over:
                self._cut()

    def _cut(self) -> None:
        with self._lock:
            self._is_over = True
            if self._socket is not None:
                with suppress(OSError):  # it was closed, or TLS has just taken it over
                    # Not SSLSocket's own: that would pull TLS from under a reader.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _trust(ca: Path | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True  # the system's authorities
    try:
        return ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError:
        raise CloudError(f"{ca} holds no certificate", "name the CA as PEM") from None


def _read(response: httpx2.Response, most: int) -> Reply:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise BadReply("the reply is packed", response.status_code)
    body = bytearray()
    for chunk in response.iter_raw(_CHUNK):
        body += chunk
        if len(body) > most:
            raise BadReply(f"the reply is over {most} bytes long", response.status_code)
    wait = _retry_after_s(response.headers.get("retry-after"))
    return Reply(response.status_code, bytes(body), wait)


def _retry_after_s(value: str | None) -> float | None:
    """The header's seconds, or those until its date."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), _LONGEST_S))
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    left = (at - datetime.now(UTC)).total_seconds()
    return min(max(left, 0.0), _LONGEST_S)


def _told(error: Exception, within_s: float) -> CloudError:
    """What it means. Their own texts may quote the URL, and so a secret in it."""
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        return BadReply("the URL cannot be used")
    if isinstance(error, httpx2.ConnectError) and (why := _refused_by_tls(error)):
        return Untrusted(
            f"the server is not trusted: {why}", "check the URL, and name its CA"
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Unreachable(
            "the server cannot be reached", "check the URL and the network"
        )
    if isinstance(error, httpx2.ProxyError):
        return Unreachable("the proxy does not let us through", "check HTTPS_PROXY")
    if isinstance(error, httpx2.TimeoutException):
        return NoReply(f"no reply within {within_s:.0f} s")
    return NoReply("the connection broke")


def _refused_by_tls(error: BaseException) -> str | None:
    """What is wrong with the certificate, where that is what it is."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return str(seen.verify_message)
        seen = seen.__cause__ or seen.__context__
    return None

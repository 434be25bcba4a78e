"""One HTTPS request under one deadline, with a limit on the size of the reply.

Each request has a connection of its own. The peer may have closed one that was kept,
and then nobody could say whether a POST on it had arrived.
"""

import email.utils
import logging
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx2

from point import __version__
from pointctl.errors import BadReply, CloudError, NoReply, Unreachable, Untrusted

_CHUNK_BYTES = 1 << 16
_LONGEST_RETRY_AFTER_S = 24 * 3600.0  # a longer one is taken for this

# At their usual levels these log URLs and headers, which may hold secrets.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Upload(NamedTuple):
    """A file in a form."""

    name: str
    content: bytes
    media_type: str = "application/octet-stream"


@dataclass(frozen=True)
class HttpsRequest:
    """A request. Its body is JSON, or a form with files or without."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] | None = field(default=None, repr=False)
    json: object = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    files: Mapping[str, Upload] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class HttpsReply:
    """A whole reply."""

    status: int
    body: bytes = field(repr=False)
    retry_after_s: float | None


class HttpsClient:
    """Sends requests to servers whose certificates it can verify."""

    def __init__(self, ca: Path | None) -> None:
        self._client = httpx2.Client(
            verify=_trust(ca),
            limits=httpx2.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            headers={
                "User-Agent": f"pointctl/{__version__}",
                "Accept-Encoding": "identity",  # a compressed reply could be any size
            },
        )

    def close(self) -> None:
        """Close it; nothing can be sent any more."""
        self._client.close()

    def send(
        self, request: HttpsRequest, within_s: float, max_bytes: int
    ) -> HttpsReply:
        """Send one request, and return the whole reply, of at most `max_bytes`.

        Raises Unreachable, Untrusted, NoReply, BadReply.
        """
        with _Deadline(within_s) as deadline:
            try:
                with self._client.stream(
                    request.method,
                    request.url,
                    headers=request.headers,
                    params=request.query,
                    json=request.json,
                    data=request.form,
                    files=request.files,
                    timeout=within_s,
                    extensions={"trace": deadline.watch},
                ) as response:
                    return _read(response, max_bytes)
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
                raise _as_cloud_error(error, within_s) from None


class _Deadline:
    """Cuts a connection when the time is up: a peer that drips would get more time."""

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
        """Take hold of the socket. The client calls this at each step of a request."""
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


def _read(response: httpx2.Response, max_bytes: int) -> HttpsReply:
    status = response.status_code
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise BadReply("the reply is compressed, which was not asked for", status)
    body = bytearray()
    for chunk in response.iter_raw(_CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise BadReply(f"the reply is over {max_bytes} bytes long", status)
    wait_s = _retry_after_s(response.headers.get("retry-after"))
    return HttpsReply(status, bytes(body), wait_s)


def _retry_after_s(value: str | None) -> float | None:
    """The header's seconds, or those until its date."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_RETRY_AFTER_S)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    left_s = (at - datetime.now(UTC)).total_seconds()
    return min(max(left_s, 0.0), _LONGEST_RETRY_AFTER_S)


def _as_cloud_error(error: Exception, within_s: float) -> CloudError:
    """Our own error for one of the client's, whose text may quote a secret URL."""
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        return BadReply("the URL cannot be used")
    if isinstance(error, httpx2.ConnectError) and (why := _certificate_fault(error)):
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


def _certificate_fault(error: BaseException) -> str | None:
    """What is wrong with the server's certificate; None if that is not the cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return str(cause.verify_message)
        cause = cause.__cause__ or cause.__context__
    return None

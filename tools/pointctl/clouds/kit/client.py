"""What every cloud's client does: send a request again, but only where that is safe.

It is safe where a request asks only (GET), or where a cloud is known to take a repeat
for the same request; and always where the request never left, as there was no
connection. All tries together have one deadline, and no try comes before the cloud's
Retry-After.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ValidationError

from pointctl.errors import BadReply, CloudError, Unreachable
from pointctl.https import HttpsClient, HttpsReply, HttpsRequest

_SHORTEST_TRY_S = 0.1

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how far apart."""

    max_tries: int = 8
    first_wait_s: float = 0.25  # the next ones are twice as long each
    longest_wait_s: float = 15.0


class Retries:
    """The tries of one request: how long each may take, and whether another follows.

    It does no I/O, so that synchronous and asynchronous clients can share it.
    """

    def __init__(self, policy: RetryPolicy, within_s: float, can_repeat: bool) -> None:
        self._policy = policy
        self._can_repeat = can_repeat
        self._until = time.monotonic() + within_s
        self._failed = 0

    @property
    def left_s(self) -> float:
        """Seconds that the next try may take."""
        return max(self._until - time.monotonic(), _SHORTEST_TRY_S)

    def wait_s_after(self, error: CloudError) -> float | None:
        """Seconds to wait before the next try; None if there must not be one."""
        self._failed += 1
        never_left = isinstance(error, Unreachable)
        if not error.is_transient or not (self._can_repeat or never_left):
            return None
        wait_s = self._wait_s(error.retry_after_s)
        is_late = time.monotonic() + wait_s >= self._until
        return None if is_late or self._failed == self._policy.max_tries else wait_s

    def _wait_s(self, retry_after_s: float | None) -> float:
        """Full jitter, and never less than the cloud asks for."""
        policy = self._policy
        limit_s = policy.first_wait_s * 2 ** (self._failed - 1)
        limit_s = min(limit_s, policy.longest_wait_s)
        return (retry_after_s or 0.0) + random.uniform(limit_s / 10, limit_s)


class RetryingClient:
    """Sends requests to a cloud until one is answered well. For one thread at a time.

    `find_error` returns the cloud's error that a reply holds; None for a good reply.
    """

    def __init__(
        self,
        ca: Path | None,
        within_s: float,
        find_error: Callable[[HttpsReply], CloudError | None],
        policy: RetryPolicy | None = None,
    ) -> None:
        self._https = HttpsClient(ca)
        self._within_s = within_s
        self._find_error = find_error
        self._policy = policy or RetryPolicy()

    def close(self) -> None:
        """Close it; nothing can be sent any more."""
        self._https.close()

    def send(
        self, request: HttpsRequest, max_bytes: int, *, can_repeat: bool
    ) -> HttpsReply:
        """Return a good reply, after repeats if need be. Raises CloudError."""
        retries = Retries(self._policy, self._within_s, can_repeat)
        while True:
            try:
                reply = self._https.send(request, retries.left_s, max_bytes)
                if error := self._find_error(reply):
                    raise error
                return reply
            except CloudError as error:
                wait_s = retries.wait_s_after(error)
                if wait_s is None:
                    raise
            time.sleep(wait_s)


def parse_reply(model: type[Model], reply: HttpsReply) -> Model:
    """What a reply holds. Raises BadReply."""
    try:
        return model.model_validate_json(reply.body)
    except ValidationError:  # its text would quote secrets
        raise BadReply(
            "the reply is not what the document says", reply.status
        ) from None


def check_header_value(name: str, value: str) -> None:
    """Raise CloudError unless this can be the value of a header."""
    if not value or not value.isascii() or not value.isprintable():
        raise CloudError(f"the {name} is not a header value", "give it as issued")
    if value != value.strip():
        raise CloudError(f"the {name} has blanks around it", "give it as issued")


def find_origin(url: str) -> tuple[str, int] | None:
    """Host and port of an https URL; None for any other text."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        return None
    is_plain = parts.scheme == "https" and parts.hostname and "@" not in parts.netloc
    return (str(parts.hostname), port) if is_plain else None

"""The cloud's API for programs: keys for devices, one by one or by the list.

What is sent again by itself: requests that only ask (GET), and those that never left.
Whether the real cloud counts a key twice when a POST comes twice is not known, so a
POST that may have arrived is not repeated unless `repeats_are_free` says that it may
be; the sandbox defines it so.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ValidationError

from pointctl.clouds.gizwits.preauth import results, wire
from pointctl.clouds.gizwits.preauth.errors import Refusal, Unavailable
from pointctl.clouds.gizwits.preauth.lists import bare
from pointctl.errors import BadReply, CloudError, NoReply
from pointctl.https import Connection, Reply

CLOUD = "https://preauth.gizwits.com"

_MOST_JSON = 1 << 20
_MOST_FILE = 32 << 20
_MOST_PACKAGES = 10_000
_TRIES = 8
_BACK_OFF_S, _LONGEST_BACK_OFF_S = 0.25, 15.0
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.2, 10.0

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Settings:
    """Where the cloud is, and how it is asked."""

    authorization: str = field(repr=False)  # sent as it is
    url: str = CLOUD
    ca: Path | None = None  # PEM; else the system's authorities
    download_hosts: tuple[str, ...] = ()  # that results may be on, beside the API's
    within_s: float = 60.0  # one call, with all its repeats
    repeats_are_free: bool = False  # of POSTs

    def __post_init__(self) -> None:
        text = self.authorization
        if (
            not text
            or not text.isascii()
            or not text.isprintable()
            or text != text.strip()
        ):
            raise CloudError(
                "the Authorization is no header value", "give it as Gizwits issued it"
            )
        if _origin(urlsplit(self.url)) is None:
            raise CloudError("the URL is no https://HOST[:PORT]", "check it")


class PreauthClient:
    """Calls of one customer. One thread may use it at a time; close it at the end.

    Every call raises one of errors.py's CloudError.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._connection = Connection(settings.ca)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ask no more."""
        self._connection.close()

    def auth_key(
        self, pin: str, mac: str, auth_code: str, computed: str | None = None
    ) -> wire.AuthKey:
        """The key of one device, by its MAC or IMEI; a new one takes one of the stock.

        `computed` is what the device makes of itself, for a cloud that compares it.
        """
        body = {"pin": pin, "mac": mac, "auth_code": auth_code}
        if computed is not None:
            body["auth_key"] = computed
        made = self._post(wire.AuthKey, "/v2/gagent", json=body)
        if bare(made.mac) != bare(mac) or made.pin != pin:
            raise BadReply("the key that came is another device's")
        return made

    def batch(self, pin: str, auth_code: str, content: bytes, name: str) -> str:
        """Send a list of devices; the id of the batch, to be asked for by."""
        made = self._post(
            wire.BatchMade,
            "/v2/gagent/batch",
            data={"pin": pin, "auth_code": auth_code},
            files={"batch_file": (name, content, "application/octet-stream")},
        )
        return made.id

    def batch_result(self, batch: str) -> wire.BatchResult:
        """How far a batch has come."""
        found = self._get(wire.BatchResult, f"/v2/gagent/batch/{_checked_id(batch)}")
        if found.id != batch:
            raise BadReply("the result that came is another batch's")
        return found

    def wait_for_batch(
        self,
        batch: str,
        progress: Callable[[wire.BatchResult], object] = lambda _result: None,
        within_s: float = 3600.0,
    ) -> wire.BatchResult:
        """Ask until a batch is done, and tell `progress` of each answer.

        A cloud that is away for a while is waited for. Raises NoReply when the time is
        up: the batch goes on, and can be asked for again.
        """
        until = time.monotonic() + within_s
        wait = _FIRST_LOOK_S
        while True:
            try:
                result = self.batch_result(batch)
                progress(result)
                if result.is_done:
                    return result
            except CloudError as error:
                if not error.is_transient:
                    raise
                wait = max(wait, error.retry_after_s or 0.0)
            left = until - time.monotonic()
            if left <= 0:
                raise NoReply(f"the batch {batch} is not done within {within_s:.0f} s")
            time.sleep(min(wait, left))
            wait = min(wait * 1.5, _LONGEST_LOOK_S)

    def keys(self, result: wire.BatchResult) -> list[results.KeyRow]:
        """Fetch and read the result of a batch that is done.

        It is fetched from the API's own host or one that the settings allow; others
        than its own are not shown the Authorization.
        """
        url, is_own = self._place(result.auth_result or "")
        headers = {"Authorization": self._settings.authorization} if is_own else {}
        reply = self._repeated(True, "GET", url, _MOST_FILE, headers=headers)
        rows = results.parse(reply.body)
        made = sum(row.auth_key is not None for row in rows)
        if (made, len(rows) - made) != (result.success, result.failed):
            raise BadReply("the .xlsx has not the keys that the batch says it has")
        return rows

    def packages(
        self, pin: str, auth_code: str, page_size: int = 20
    ) -> Iterator[wire.Package]:
        """Every package of an auth_code, page by page."""
        asked = {"pin": pin, "auth_code": auth_code, "limit": str(page_size)}
        skip = 0
        while skip < _MOST_PACKAGES:
            query = asked | {"skip": str(skip)}
            page = self._get(wire.Packages, "/v2/package", params=query)
            yield from page.objects
            skip += len(page.objects)  # a server may give fewer than it was asked for
            if not page.objects or skip >= page.meta.total:
                return
        raise BadReply(f"there are over {_MOST_PACKAGES} packages")

    def _get(self, model: type[Model], path: str, **content: Any) -> Model:
        return self._call(model, True, "GET", path, content)

    def _post(self, model: type[Model], path: str, **content: Any) -> Model:
        free = self._settings.repeats_are_free
        return self._call(model, free, "POST", path, content)

    def _call(
        self,
        model: type[Model],
        repeatable: bool,
        method: str,
        path: str,
        content: dict[str, Any],
    ) -> Model:
        content["headers"] = {"Authorization": self._settings.authorization}
        reply = self._repeated(
            repeatable, method, self._base + path, _MOST_JSON, **content
        )
        try:
            return model.model_validate_json(reply.body)
        except ValidationError:  # its text is not needed: it is about secrets
            raise BadReply(
                "the reply is not what the document says", reply.status
            ) from None

    def _repeated(
        self, repeatable: bool, method: str, url: str, most: int, **content: Any
    ) -> Reply:
        """A reply with a good status, at once or after repeats."""
        until = time.monotonic() + self._settings.within_s
        for attempt in range(_TRIES):
            try:
                left = max(until - time.monotonic(), 0.1)
                reply = self._connection.exchange(method, url, left, most, **content)
                if error := _refusal(reply):
                    raise error
                return reply
            except CloudError as error:
                may = error.is_transient and (repeatable or _never_left(error))
                wait = _wait_s(attempt, error.retry_after_s)
                late = time.monotonic() + wait >= until
                if not may or late or attempt == _TRIES - 1:
                    raise
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _place(self, address: str) -> tuple[str, bool]:
        """The URL of a result, and whether it is on the API's own host."""
        url = address.strip()
        url = url if "://" in url else f"https://{url}"
        try:
            origin = _origin(urlsplit(url))
        except ValueError:
            origin = None
        if origin is None:
            raise BadReply("the address of the result is none")
        is_own = origin == _origin(urlsplit(self._base))
        if not is_own and origin[0] not in self._settings.download_hosts:
            raise BadReply(
                "the result is on a host that is not the API's: allow it if it is right"
            )
        return url, is_own


def _origin(url: SplitResult) -> tuple[str, int] | None:
    """Host and port of an https URL; None for what is none."""
    try:
        port = url.port or 443
    except ValueError:
        return None
    plain = url.scheme == "https" and url.hostname and "@" not in url.netloc
    return (str(url.hostname), port) if plain else None


def _checked_id(batch: str) -> str:
    """It becomes part of a path."""
    if not batch.isascii() or not batch.isalnum():
        raise CloudError("a batch's id is letters and digits", "check it")
    return batch


def _refusal(reply: Reply) -> CloudError | None:
    """What a reply says, unless it is that it was done."""
    if 200 <= reply.status < 300:
        return None
    try:
        code = wire.Error.model_validate_json(reply.body).error_code
    except ValidationError:  # a proxy's page, or nothing
        code = None
    kind = Refusal.by_code.get(code) if code is not None else None
    if kind is not None:
        refusal: CloudError = kind()
        refusal.status = reply.status
        refusal.retry_after_s = reply.retry_after_s
        return refusal
    if reply.status == 429 or reply.status >= 500:
        return Unavailable(reply.status, reply.retry_after_s)
    said = "" if code is None else f", code {code}"
    return BadReply(f"the cloud answered HTTP {reply.status}{said}", reply.status)


def _never_left(error: CloudError) -> bool:
    """Whether a request cannot have reached the cloud; a refusal says that it has."""
    return error.nothing_was_done and not isinstance(error, Refusal)


def _wait_s(attempt: int, retry_after_s: float | None) -> float:
    """Seconds until the next try: full jitter, never less than the cloud asks for."""
    limit = min(_BACK_OFF_S * 2**attempt, _LONGEST_BACK_OFF_S)
    return (retry_after_s or 0.0) + random.uniform(limit / 10, limit)

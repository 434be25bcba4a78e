"""The cloud's API for programs: keys for devices, one by one or by the list.

Whether the real cloud counts a key twice when a POST comes twice is not known. So a
POST that may have arrived is not repeated unless `repeats_are_free` says that it may
be; the sandbox defines it so.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from pydantic import BaseModel, ValidationError

from pointctl.clouds.gizwits.preauth import results, wire
from pointctl.clouds.gizwits.preauth.errors import PreauthRefusal, Unavailable
from pointctl.clouds.gizwits.preauth.names import normalize_mac
from pointctl.clouds.kit.client import (
    RetryingClient,
    check_header_value,
    find_origin,
    parse_reply,
)
from pointctl.errors import BadReply, CloudError, NoReply
from pointctl.https import HttpsReply, HttpsRequest, Upload

CLOUD = "https://preauth.gizwits.com"

_MAX_JSON_BYTES = 1 << 20
_MAX_FILE_BYTES = 32 << 20
_MOST_PACKAGES = 10_000
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.2, 10.0

Model = TypeVar("Model", bound=BaseModel)


class _ResultAddress(NamedTuple):
    url: str
    is_own_host: bool  # on the API's own host, which may see the Authorization


@dataclass(frozen=True)
class PreauthSettings:
    """Where the cloud is, and how it is asked."""

    authorization: str = field(repr=False)  # sent as it is
    url: str = CLOUD
    ca: Path | None = None  # PEM; else the system's authorities
    download_hosts: tuple[str, ...] = ()  # that results may be on, beside the API's
    within_s: float = 60.0  # one call, with all its repeats
    repeats_are_free: bool = False  # of POSTs

    def __post_init__(self) -> None:
        check_header_value("Authorization", self.authorization)
        if find_origin(self.url) is None:
            raise CloudError("the URL is not https://HOST[:PORT]", "correct it")


class PreauthClient:
    """Calls of one customer. One thread may use it at a time; close it at the end.

    Every call raises a CloudError of errors.py.
    """

    def __init__(self, settings: PreauthSettings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._client = RetryingClient(settings.ca, settings.within_s, _find_error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; nothing can be asked any more."""
        self._client.close()

    def auth_key(
        self, pin: str, mac: str, auth_code: str, computed: str | None = None
    ) -> wire.AuthKey:
        """The key of one device, by MAC or IMEI; a new device takes one of the stock.

        `computed` is the key that the device computes, for a cloud that compares it.
        """
        body = {"pin": pin, "mac": mac, "auth_code": auth_code}
        if computed is not None:
            body["auth_key"] = computed
        request = self._request("POST", "/v2/gagent", json=body)
        made = self._send(wire.AuthKey, request)
        if normalize_mac(made.mac) != normalize_mac(mac) or made.pin != pin:
            raise BadReply("the key that came is another device's")
        return made

    def batch(self, pin: str, auth_code: str, content: bytes, name: str) -> str:
        """Send a list of devices, and return the id of the batch."""
        request = self._request(
            "POST",
            "/v2/gagent/batch",
            form={"pin": pin, "auth_code": auth_code},
            files={"batch_file": Upload(name, content)},
        )
        return self._send(wire.BatchMade, request).id

    def batch_result(self, batch: str) -> wire.BatchResult:
        """How far a batch has come."""
        request = self._request("GET", f"/v2/gagent/batch/{_path_segment(batch)}")
        found = self._send(wire.BatchResult, request)
        if found.id != batch:
            raise BadReply("the result that came is another batch's")
        return found

    def wait_for_batch(
        self,
        batch: str,
        progress: Callable[[wire.BatchResult], object] = lambda _result: None,
        within_s: float = 3600.0,
    ) -> wire.BatchResult:
        """Ask until a batch is done, and call `progress` with each answer.

        It waits for a cloud that is away for a while. Raises NoReply when the time is
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

        It is fetched from the API's own host or from one that the settings allow; only
        the own host is sent the Authorization.
        """
        address = self._result_address(result.auth_result or "")
        headers = self._authorization if address.is_own_host else {}
        request = HttpsRequest("GET", address.url, headers=headers)
        reply = self._client.send(request, _MAX_FILE_BYTES, can_repeat=True)
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
            request = self._request("GET", "/v2/package", query=query)
            page = self._send(wire.Packages, request)
            yield from page.objects
            skip += len(page.objects)  # a server may give fewer than it was asked for
            if not page.objects or skip >= page.meta.total:
                return
        raise BadReply(f"there are over {_MOST_PACKAGES} packages")

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": self._settings.authorization}

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, Upload] | None = None,
    ) -> HttpsRequest:
        url, headers = self._base + path, self._authorization
        return HttpsRequest(method, url, headers, query, json, form, files)

    def _send(self, model: type[Model], request: HttpsRequest) -> Model:
        """Send it until it is answered; what the reply holds."""
        can_repeat = request.method == "GET" or self._settings.repeats_are_free
        reply = self._client.send(request, _MAX_JSON_BYTES, can_repeat=can_repeat)
        return parse_reply(model, reply)

    def _result_address(self, address: str) -> _ResultAddress:
        """Where a result is. Raises BadReply where it must not be fetched from."""
        url = address.strip()
        url = url if "://" in url else f"https://{url}"
        origin = find_origin(url)
        if origin is None:
            raise BadReply("the address of the result is not an https URL")
        is_own_host = origin == find_origin(self._base)
        if not is_own_host and origin[0] not in self._settings.download_hosts:
            raise BadReply(
                "the result is on a host that is not the API's: allow it if it is right"
            )
        return _ResultAddress(url, is_own_host)


def _path_segment(batch: str) -> str:
    """The id of a batch, as a part of a path. Raises CloudError."""
    if not batch.isascii() or not batch.isalnum():
        raise CloudError("a batch's id is letters and digits", "correct it")
    return batch


def _find_error(reply: HttpsReply) -> CloudError | None:
    """The error that a reply holds; None for a good reply."""
    if 200 <= reply.status < 300:
        return None
    try:
        code = wire.ErrorBody.model_validate_json(reply.body).error_code
    except ValidationError:  # a proxy's page, or nothing
        code = None
    kind = PreauthRefusal.by_code.get(code) if code is not None else None
    if kind is not None:
        refusal: CloudError = kind()
        refusal.status = reply.status
        refusal.retry_after_s = reply.retry_after_s
        return refusal
    if reply.status == 429 or reply.status >= 500:
        advice = "if keys were asked for, look at the key stock before"
        return Unavailable(reply.status, reply.retry_after_s, advice)
    named = "" if code is None else f", code {code}"
    return BadReply(f"the cloud answered HTTP {reply.status}{named}", reply.status)

"""Get claim keys from our own server: by its API, or from its registry here."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pointctl.errors import CloudError, PointctlError, Refused, Untrusted
from pointctl.factory.sources.source import Key, KeyDenied, KeyStock, SourceDown
from pointctl.folder import DataFolder
from pointctl.https import HttpsClient, HttpsReply, HttpsRequest
from pointctl.registry.devices import batches
from pointctl.registry.issuing import claim_key_handout
from pointctl.registry.keys import claim_keys
from pointctl.registry.opening import open_registry
from pointctl.registry.storage.database import DatabaseError

_WITHIN_S = 30.0
_MOST_BYTES = 4 << 20
_TRANSIENT = (429, 500, 502, 503, 504)
_NOT_BY_THE_API = (
    "the server's answer is not what docs/api.md says: check the URL, and the version "
    "of the server"
)


class ServerKeys:
    """Claim keys of a product, over HTTPS with an operator's token."""

    repeats_are_free = True

    def __init__(
        self, url: str, token: str, ca: Path | None, product: str, batch: str | None
    ) -> None:
        if not url.startswith("https://"):
            raise PointctlError(
                f"the server's URL {url!r} does not start with https://"
            )
        self._base = url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._product = quote(product, safe="")
        self._batch = batch
        self._client = HttpsClient(ca)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def request_key(self, unit: str) -> Key:
        """Return the unit's claim key; registers an unknown unit in the batch."""
        path = f"/products/{self._product}/devices/{quote(unit, safe='')}/claim-key"
        found = self._request("POST", path, json={"batch": self._batch})
        text = found.get("claim_key") if isinstance(found, dict) else None
        if not isinstance(text, str) or found.get("imei") != unit:
            raise KeyDenied(_NOT_BY_THE_API)
        return Key(_check_key(text))

    def stocks(self) -> Sequence[KeyStock]:
        """Return the batch of the plan, or all batches of the product."""
        rows = self._request("GET", f"/products/{self._product}/batches")
        return _stocks(rows, self._batch)

    def _request(self, method: str, path: str, json: object = None) -> Any:
        url = self._base + path
        request = HttpsRequest(method, url, headers=self._headers, json=json)
        try:
            reply = self._client.send(request, _WITHIN_S, _MOST_BYTES)
        except Untrusted as error:
            raise KeyDenied(str(error)) from None
        except CloudError as error:
            raise SourceDown(f"the server: {error}") from None
        return _parse_reply(reply)


class RegistryKeys:
    """Claim keys of a product, from the registry on this machine."""

    repeats_are_free = True

    def __init__(self, data: Path, product: str, batch: str | None, who: str) -> None:
        self._keys = claim_keys.open_keys(DataFolder(data))
        self._database = open_registry(data)
        self._product, self._batch, self._who = product, batch, who

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def request_key(self, unit: str) -> Key:
        """Return the unit's claim key; registers an unknown unit in the batch."""
        try:
            given = claim_key_handout.hand_out(
                self._database, self._keys, self._product, unit, self._batch, self._who
            )
        except DatabaseError as error:
            raise SourceDown(str(error)) from error
        except PointctlError as error:
            raise KeyDenied(str(error)) from error
        return Key(given.claim_key)

    def stocks(self) -> Sequence[KeyStock]:
        """Return the batch of the plan, or all batches of the product."""
        return _stocks(batches.list_batches(self._database, self._product), self._batch)


def _parse_reply(reply: HttpsReply) -> Any:
    """Return the JSON of a reply.

    Raises SourceDown, or KeyDenied with the text of the server's problem.
    """
    try:
        body = json.loads(reply.body)
    except ValueError:
        body = None
    if reply.status in (200, 201) and body is not None:
        return body
    if reply.status in _TRANSIENT:
        raise SourceDown(f"the server answered HTTP {reply.status}")
    detail = body.get("detail") if isinstance(body, dict) else None
    if reply.status == 401:
        raise KeyDenied("the server does not know the token: get a new one")
    raise KeyDenied(str(detail or f"the server answered HTTP {reply.status}")[:300])


class _Batch(BaseModel):
    """A batch, as the API and the registry describe it."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    quota: int | None
    devices: int
    enrolled: int
    open: bool
    expires_at: str | None

    @property
    def gives_keys(self) -> bool:
        """Whether the factory gets keys from it.

        A batch also closes when all its devices have enrolled; their keys are still
        given then, but not those of a batch that has expired.
        """
        is_full = self.quota is not None and self.enrolled >= self.quota
        return self.open or is_full


def _stocks(rows: Any, batch: str | None) -> Sequence[KeyStock]:
    try:
        batches_found = TypeAdapter(list[_Batch]).validate_python(rows)
    except ValidationError:
        raise KeyDenied(_NOT_BY_THE_API) from None
    stocks = [
        KeyStock(each.name, each.quota, each.devices, each.gives_keys, each.expires_at)
        for each in batches_found
        if batch in (None, each.name)
    ]
    if batch is not None and not stocks:
        raise Refused(
            f"the product has no batch {batch}; add it with pointctl batches add"
        )
    return stocks


def _check_key(text: str) -> str:
    """Return the text if it is a claim key. Raises KeyDenied."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise KeyDenied(_NOT_BY_THE_API)
    return text

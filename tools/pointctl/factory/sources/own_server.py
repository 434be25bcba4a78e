"""Keys from our own server: by its API, or from its registry on this machine."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from pointctl.errors import CloudError, PointctlError, Refused, Untrusted
from pointctl.factory.sources.source import Denied, Key, SourceDown, Stock
from pointctl.folder import DataFolder
from pointctl.https import HttpsClient, HttpsReply, HttpsRequest
from pointctl.registry.devices import batches
from pointctl.registry.issuing import claim_key_handout
from pointctl.registry.keys import claim_keys
from pointctl.registry.opening import open_registry
from pointctl.registry.storage.database import DatabaseError

_WITHIN_S = 30.0
_MOST = 4 << 20
_LATER = (429, 500, 502, 503, 504)


class ServerKeys:
    """Claim keys of a product's boards, over HTTPS with an operator's token."""

    repeats_are_free = True

    def __init__(
        self, url: str, token: str, ca: Path | None, product: str, batch: str | None
    ) -> None:
        if not url.startswith("https://"):
            raise PointctlError("the server's URL starts with https://")
        self._base = url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._product = quote(product, safe="")
        self._batch = batch
        self._client = HttpsClient(ca)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def key(self, unit: str) -> Key:
        """The unit's claim key; it is registered into the batch if it was not."""
        path = f"/products/{self._product}/devices/{quote(unit, safe='')}/claim-key"
        found = self._asked("POST", path, json={"batch": self._batch})
        text = found.get("claim_key") if isinstance(found, dict) else None
        if not isinstance(text, str) or found.get("imei") != unit:
            raise Denied("the server's answer is not what docs/api.md says: update it")
        return Key(_checked(text))

    def stocks(self) -> Sequence[Stock]:
        """The batch of the plan, or all of the product."""
        rows = self._asked("GET", f"/products/{self._product}/batches")
        return _stocks(rows, self._batch)

    def _asked(self, method: str, path: str, json: object = None) -> Any:
        url = self._base + path
        request = HttpsRequest(method, url, headers=self._headers, json=json)
        try:
            reply = self._client.send(request, _WITHIN_S, _MOST)
        except Untrusted as error:
            raise Denied(str(error)) from None
        except CloudError as error:
            raise SourceDown(f"the server: {error}") from None
        return _said(reply)


class RegistryKeys:
    """The same, where the registry is at hand."""

    repeats_are_free = True

    def __init__(self, data: Path, product: str, batch: str | None, who: str) -> None:
        self._keys = claim_keys.open_keys(DataFolder(data))
        self._database = open_registry(data)
        self._product, self._batch, self._who = product, batch, who

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def key(self, unit: str) -> Key:
        """The unit's claim key; it is registered into the batch if it was not."""
        try:
            given = claim_key_handout.hand_out(
                self._database, self._keys, self._product, unit, self._batch, self._who
            )
        except DatabaseError as error:
            raise SourceDown(str(error)) from error
        except PointctlError as error:
            raise Denied(str(error)) from error
        return Key(given.claim_key)

    def stocks(self) -> Sequence[Stock]:
        """The batch of the plan, or all of the product."""
        return _stocks(batches.listed(self._database, self._product), self._batch)


def _said(reply: HttpsReply) -> Any:
    """What a reply holds. Raises SourceDown, Denied, which quotes a problem's text."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        body = None
    if reply.status in (200, 201) and body is not None:
        return body
    if reply.status in _LATER:
        raise SourceDown(f"the server answered HTTP {reply.status}")
    detail = body.get("detail") if isinstance(body, dict) else None
    if reply.status == 401:
        raise Denied("the server does not know the token: get a new one")
    raise Denied(str(detail or f"the server answered HTTP {reply.status}")[:300])


def _stocks(rows: Any, batch: str | None) -> Sequence[Stock]:
    try:
        found = [
            Stock(
                row["name"],
                row["quota"],
                row["devices"],
                _takes_in(row),
                row["expires_at"],
            )
            for row in rows
            if batch in (None, row["name"])
        ]
    except (KeyError, TypeError):
        raise Denied("the server's answer is not what docs/api.md says") from None
    if batch is not None and not found:
        raise Refused(f"the product has no batch {batch}; pointctl batches add")
    return found


def _takes_in(row: dict[str, Any]) -> bool:
    """A batch is closed when all have enrolled; what is over takes nobody in."""
    full = row["quota"] is not None and row["enrolled"] >= row["quota"]
    return bool(row["open"] or full)


def _checked(text: str) -> str:
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise Denied("the server's answer holds no claim key: update it")
    return text

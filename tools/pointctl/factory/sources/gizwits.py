"""auth_keys from Gizwits' cloud, or from its sandbox, for a station and for lists."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Self

from pointctl.clouds.gizwits.preauth import lists
from pointctl.clouds.gizwits.preauth.client import (
    CLOUD,
    PreauthClient,
    PreauthSettings,
)
from pointctl.clouds.gizwits.preauth.customer_secrets import AUTH_CODE, AUTHORIZATION
from pointctl.clouds.gizwits.preauth.names import normalize_mac
from pointctl.errors import CloudError
from pointctl.factory.sources.source import Denied, Key, SourceDown, Stock, Unsure

_WITHIN_S = 30.0  # one call, with its repeats


class GizwitsKeys:
    """Keys of one package's auth_code. Threads take turns."""

    def __init__(
        self,
        pin: str,
        data: Path,
        *,
        url: str | None = None,
        ca: Path | None = None,
        repeats_are_free: bool = False,
    ) -> None:
        self.repeats_are_free = repeats_are_free
        self._pin = pin
        self._auth_code = AUTH_CODE.read(data, None)
        self._lock = Lock()
        self._client = PreauthClient(
            PreauthSettings(
                authorization=AUTHORIZATION.read(data, None),
                url=url or CLOUD,
                ca=ca,
                within_s=_WITHIN_S,
                repeats_are_free=repeats_are_free,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def key(self, unit: str) -> Key:
        """The unit's auth_key. Raises SourceDown, Denied, Unsure."""
        try:
            with self._lock:
                made = self._client.auth_key(self._pin, unit, self._auth_code)
        except CloudError as error:
            raise self._told(error) from None
        return Key(made.auth_key.lower())

    def stocks(self) -> Sequence[Stock]:
        """The packages of the auth_code; how they are told apart is their number."""
        try:
            with self._lock:
                found = list(self._client.packages(self._pin, self._auth_code))
        except CloudError as error:
            raise (SourceDown if error.is_transient else Denied)(str(error)) from None
        return [
            Stock(f"package {n}", each.capacity, each.size, each.is_enabled)
            for n, each in enumerate(found, 1)
        ]

    def send(self, units: Sequence[str]) -> str:
        """Send a list; the number of the cloud's batch. Raises as key()."""
        entries = [lists.ListEntry(n, unit) for n, unit in enumerate(units, 1)]
        content = lists.write_text(entries)
        name = f"{hashlib.sha256(content).hexdigest()[:12]}.txt"
        try:
            return self._client.batch(self._pin, self._auth_code, content, name)
        except CloudError as error:
            raise self._told(error) from None

    def fetch(
        self, batch: str, on: Callable[[int], None]
    ) -> tuple[dict[str, Key], dict[str, str]]:
        """Wait for a batch; the keys of its units, and why others have none.

        Raises SourceDown, Denied.
        """
        try:
            result = self._client.wait_for_batch(
                batch, lambda told: on(told.success + told.failed)
            )
            rows = self._client.keys(result)
        except CloudError as error:
            raise (SourceDown if error.is_transient else Denied)(str(error)) from None
        keys = {
            normalize_mac(row.mac): Key(row.auth_key.lower())
            for row in rows
            if row.auth_key
        }
        bad = {
            normalize_mac(row.mac): row.error or "the cloud gave no reason"
            for row in rows
            if not row.auth_key
        }
        return keys, bad

    def _told(self, error: CloudError) -> Exception:
        """What it means for the unit: ask again, never, or let a person decide."""
        if error.is_transient and (self.repeats_are_free or error.nothing_was_done):
            return SourceDown(str(error))
        return (Denied if error.nothing_was_done else Unsure)(str(error))

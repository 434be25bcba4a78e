"""Get auth_keys from Gizwits' cloud or its sandbox, one by one or for lists."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Self

from pointctl.clouds.gizwits.preauth import lists
from pointctl.clouds.gizwits.preauth.client import CLOUD, PreauthClient, PreauthSettings
from pointctl.clouds.gizwits.preauth.customer_secrets import AUTH_CODE, AUTHORIZATION
from pointctl.clouds.gizwits.preauth.names import normalize_mac
from pointctl.errors import CloudError, PointctlError
from pointctl.factory.sources.source import (
    AnswerLost,
    FetchedList,
    Key,
    KeyDenied,
    KeyStock,
    SourceDown,
)

_WITHIN_S = 30.0  # for one call with its retries


class GizwitsKeys:
    """Keys for the auth_code of one customer. Threads take turns."""

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

    def request_key(self, unit: str) -> Key:
        """Return the unit's auth_key. Raises SourceDown, KeyDenied, AnswerLost."""
        try:
            with self._lock:
                made = self._client.auth_key(self._pin, unit, self._auth_code)
        except CloudError as error:
            raise self._explain(error) from None
        return Key(made.auth_key.lower())

    def stocks(self) -> Sequence[KeyStock]:
        """Return the packages of the auth_code, named by their number."""
        try:
            with self._lock:
                found = list(self._client.packages(self._pin, self._auth_code))
        except CloudError as error:
            raise _explain_read(error) from None
        return [
            KeyStock(f"package {n}", each.capacity, each.size, each.is_enabled)
            for n, each in enumerate(found, 1)
        ]

    def send_list(self, units: Sequence[str]) -> str:
        """Send a list, and return the number of the cloud's batch.

        Raises as request_key().
        """
        entries = [lists.ListEntry(n, unit) for n, unit in enumerate(units, 1)]
        content = lists.write_text(entries)
        name = f"{hashlib.sha256(content).hexdigest()[:12]}.txt"
        try:
            return self._client.batch(self._pin, self._auth_code, content, name)
        except CloudError as error:
            raise self._explain(error) from None

    def fetch_list(self, batch: str, on: Callable[[int], None]) -> FetchedList:
        """Wait for a batch of the cloud, and return its keys.

        Raises SourceDown, KeyDenied.
        """
        try:
            result = self._client.wait_for_batch(
                batch, lambda counts: on(counts.success + counts.failed)
            )
            rows = self._client.keys(result)
        except CloudError as error:
            raise _explain_read(error) from None
        return FetchedList(
            keys={
                normalize_mac(row.mac): Key(row.auth_key.lower())
                for row in rows
                if row.auth_key
            },
            errors={
                normalize_mac(row.mac): row.error or "the cloud gave no reason"
                for row in rows
                if not row.auth_key
            },
        )

    def _explain(self, error: CloudError) -> PointctlError:
        """Say whether to ask for the unit again, never, or to let a person decide."""
        if error.is_transient and (self.repeats_are_free or error.nothing_was_done):
            return SourceDown(str(error))
        return (KeyDenied if error.nothing_was_done else AnswerLost)(str(error))


def _explain_read(error: CloudError) -> PointctlError:
    """Say the same for a request that changes nothing in the cloud."""
    return (SourceDown if error.is_transient else KeyDenied)(str(error))

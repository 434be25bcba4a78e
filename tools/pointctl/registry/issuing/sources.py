"""Where the credentials of a product come from."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Row

from pointctl.errors import PointctlError
from pointctl.registry.storage.vault import Vault


class NothingLeft(PointctlError):
    """The source has no credential to give."""


@dataclass(frozen=True)
class Taken:
    """A credential that no device has had."""

    device_secret: str = field(repr=False)
    device_name: str | None = None  # None: the device keeps its name
    product_secret: str | None = field(default=None, repr=False)


class CredentialSource(Protocol):
    """Finds a credential for a device that has none; each is for one device only.

    It works in the transaction in which the device claims, so that both happen or
    neither, and the device's row is locked: on SQLite everybody else waits. A cloud
    that has to be asked is asked ahead, into a stock like the pool's.
    """

    def take(
        self, connection: Connection, keys: Vault, device: Row[Any], now: datetime
    ) -> Taken:
        """A credential for `device`: its id, product_key and device_name are read.

        Raises NothingLeft.
        """


class Mint:
    """They are made here: 128 random bits."""

    def take(
        self, connection: Connection, keys: Vault, device: Row[Any], now: datetime
    ) -> Taken:
        """A new secret, under the name that the device has."""
        return Taken(secrets.token_hex(16))

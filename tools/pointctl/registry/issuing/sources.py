"""Where the credentials of a product come from."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from pointctl.errors import PointctlError
from pointctl.registry.storage.vault import Vault


class NothingLeft(PointctlError):
    """The source has no credential to give."""


@dataclass(frozen=True)
class NewCredential:
    """A credential that no device has had."""

    device_secret: str = field(repr=False)
    device_name: str | None = None  # None: the device keeps its name
    product_secret: str | None = field(default=None, repr=False)


class DeviceNames(Protocol):
    """The columns of a device that a source decides by."""

    id: int
    product_key: str
    device_name: str


class CredentialSource(Protocol):
    """Finds a credential for a device that has none; each is for one device only.

    It works in the transaction of the claim, so that both happen or neither, and the
    device's row is locked: on SQLite everybody else waits. A cloud that has to be asked
    is therefore asked ahead, into a stock like the pool's.
    """

    def take(
        self, connection: Connection, keys: Vault, device: DeviceNames, now: datetime
    ) -> NewCredential:
        """A credential for `device`. Raises NothingLeft."""


class Mint:
    """Makes credentials here: 128 random bits."""

    def take(
        self, connection: Connection, keys: Vault, device: DeviceNames, now: datetime
    ) -> NewCredential:
        """A new secret, under the name that the device has."""
        return NewCredential(secrets.token_hex(16))

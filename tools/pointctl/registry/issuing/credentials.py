"""The credentials of devices: issued, replaced, retired.

A device has a current credential. A rotation adds a next one, and claims are given that
from then on. Both open the broker until a login uses the next one: then it becomes the
current one. A retired credential stays as history, without its secrets.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, cast

from sqlalchemy import (
    Connection,
    ScalarSelect,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from pointctl.registry import audit
from pointctl.registry.issuing.pool import Pool
from pointctl.registry.issuing.sources import CredentialSource, DeviceNames, Mint
from pointctl.registry.storage import encryption, vault
from pointctl.registry.storage.models import (
    Credential,
    CredentialSlot,
    Device,
    Source,
    table,
)
from pointctl.registry.storage.vault import PRODUCT, Vault
from pointctl.registry.storage.write_batch import WriteBatch

SOURCES: dict[Source, CredentialSource] = {Source.MINT: Mint(), Source.POOL: Pool()}


def _stored(
    column: InstrumentedAttribute[str | None], slot: CredentialSlot
) -> ScalarSelect[str | None]:
    # Not a join: a planner without statistics expects few credentials of a slot, and
    # reads them all for each device.
    own = Credential.device_id == Device.id, Credential.standing == slot
    return select(column).where(*own).scalar_subquery()


class CredentialRow(DeviceNames, Protocol):
    """A row of COLUMNS: a device, and what is stored of its credentials."""

    encrypted_secret: str | None  # of the current credential
    encrypted_product_secret: str | None
    next_secret: str | None
    key_id: str  # of the key for new secrets


COLUMNS = (
    Device.id,
    Device.product_key,
    Device.device_name,
    _stored(Credential.encrypted_secret, CredentialSlot.CURRENT).label(
        "encrypted_secret"
    ),
    _stored(Credential.encrypted_product_secret, CredentialSlot.CURRENT).label(
        "encrypted_product_secret"
    ),
    _stored(Credential.encrypted_secret, CredentialSlot.NEXT).label("next_secret"),
    encryption.active().label("key_id"),
)
_READ = select(*COLUMNS).where(Device.id == bindparam("id_"))
_ADD = insert(table(Credential)).inline()
_WIPED = {"standing": None, "encrypted_secret": None, "encrypted_product_secret": None}
_RETIRE = (
    update(Credential)
    .where(Credential.device_id == bindparam("id_"), Credential.standing.is_not(None))
    .values(retired_at=bindparam("now"), **_WIPED)
)
_RETIRE_CURRENT = _RETIRE.where(Credential.standing == CredentialSlot.CURRENT)
_PROMOTE = (
    update(Credential)
    .where(Credential.device_id == bindparam("id_"))
    .where(Credential.standing == CredentialSlot.NEXT)
    .values(standing=CredentialSlot.CURRENT)
)
_HAS_NEXT = select(Credential.id).where(
    Credential.device_id == bindparam("id_"), Credential.standing == CredentialSlot.NEXT
)


@dataclass(frozen=True)
class IssuedCredential:
    """The credential that a board is given."""

    device_name: str
    device_secret: str = field(repr=False)
    product_secret: str | None = field(default=None, repr=False)  # else the product's
    slot: CredentialSlot = CredentialSlot.CURRENT


def read(connection: Connection, device_id: int) -> CredentialRow:
    """The row of a device."""
    return cast(CredentialRow, connection.execute(_READ, {"id_": device_id}).one())


def current_or_next(keys: Vault, row: CredentialRow) -> IssuedCredential | None:
    """The credential for a claim: the next one if there is one, else the current."""
    if row.next_secret is not None:
        secret = keys.decrypt(row.next_secret, vault.bind_device(row.id))
        return IssuedCredential(row.device_name, secret, slot=CredentialSlot.NEXT)
    if row.encrypted_secret is None:
        return None
    of_product = row.encrypted_product_secret
    return IssuedCredential(
        row.device_name,
        keys.decrypt(row.encrypted_secret, vault.bind_device(row.id)),
        of_product and keys.decrypt(of_product, vault.bind_device(row.id, PRODUCT)),
    )


def secrets(keys: Vault, row: CredentialRow) -> list[str]:
    """Every deviceSecret that the device may use, the current one first."""
    stored = [row.encrypted_secret, row.next_secret]
    return [keys.decrypt(text, vault.bind_device(row.id)) for text in stored if text]


def issue(
    connection: Connection,
    keys: Vault,
    source: Source,
    row: CredentialRow,
    now: datetime,
    writes: WriteBatch,
) -> IssuedCredential:
    """Give a device without a credential one of its product's source.

    What remains to be written is added to `writes`. Raises NothingLeft.
    """
    new = SOURCES[source].take(connection, keys, row, now)
    name = new.device_name or row.device_name
    issued = IssuedCredential(name, new.device_secret, new.product_secret)
    writes.add(_ADD, _values(keys, row, source, issued, now))
    return issued


def add_next(
    connection: Connection, keys: Vault, device: Device, source: Source
) -> None:
    """Make the next credential of a device.

    One that was made before, and never used, is retired.
    """
    now = datetime.now(UTC)
    _retire_next(connection, device.id, now)
    row = read(connection, device.id)
    new = SOURCES[source].take(connection, keys, row, now)
    issued = IssuedCredential(
        device.device_name, new.device_secret, slot=CredentialSlot.NEXT
    )
    connection.execute(_ADD, _values(keys, row, source, issued, now))


def promote(connection: Connection, device_id: int) -> bool:
    """Make the next credential the current and only one: a login has used it.

    False where there is none: another connection was faster.
    """
    values = {"id_": device_id, "now": datetime.now(UTC)}
    if connection.execute(_HAS_NEXT, values).scalar() is None:
        return False
    connection.execute(_RETIRE_CURRENT, values)
    connection.execute(_PROMOTE, values)
    audit.record(connection, device_id, "rotated", audit.SERVER)
    return True


def retire_all(connection: Connection, device_id: int) -> None:
    """Retire every credential of a device."""
    connection.execute(_RETIRE, {"id_": device_id, "now": datetime.now(UTC)})


def _retire_next(connection: Connection, device_id: int, now: datetime) -> None:
    change = _RETIRE.where(Credential.standing == CredentialSlot.NEXT)
    connection.execute(change, {"id_": device_id, "now": now})


def _values(
    keys: Vault,
    row: CredentialRow,
    source: Source,
    issued: IssuedCredential,
    now: datetime,
) -> dict[str, object]:
    """The columns of a new credential."""
    of_product = issued.product_secret
    return {
        "device_id": row.id,
        "standing": issued.slot,
        "source": source,
        "encrypted_secret": keys.encrypt(
            issued.device_secret, row.key_id, vault.bind_device(row.id)
        ),
        "encrypted_product_secret": of_product
        and keys.encrypt(of_product, row.key_id, vault.bind_device(row.id, PRODUCT)),
        "created_at": now,
    }

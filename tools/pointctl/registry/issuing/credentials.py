"""The credentials of devices: made, handed out, replaced, retired.

A device has one that is current. A rotation makes it a next one, which is handed out
from then on; both open the broker until the next is seen there and takes the place of
the current. What is retired stays as history, without its secrets.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    ScalarSelect,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from pointctl.registry import audit
from pointctl.registry.issuing.pool import Pool
from pointctl.registry.issuing.sources import CredentialSource, Mint
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
    column: InstrumentedAttribute[str | None], standing: CredentialSlot
) -> ScalarSelect[str | None]:
    # Not a join: a planner without statistics takes those of a standing for few, and
    # reads them all for each device.
    own = Credential.device_id == Device.id, Credential.standing == standing
    return select(column).where(*own).scalar_subquery()


# What a row has to have for handed_out(), secrets() and issue().
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
class Given:
    """What a board is given of its own."""

    device_name: str
    device_secret: str = field(repr=False)
    product_secret: str | None = field(default=None, repr=False)  # else the product's
    standing: CredentialSlot = CredentialSlot.CURRENT


def read(connection: Connection, device_id: int) -> Row[*tuple[Any, ...]]:
    """The row of a device."""
    return connection.execute(_READ, {"id_": device_id}).one()


def handed_out(keys: Vault, row: Row[*tuple[Any, ...]]) -> Given | None:
    """What a claim is answered with: the next credential, or the current one."""
    if row.next_secret is not None:
        secret = keys.decrypt(row.next_secret, vault.bind_device(row.id))
        return Given(row.device_name, secret, standing=CredentialSlot.NEXT)
    if row.encrypted_secret is None:
        return None
    of_product = row.encrypted_product_secret
    return Given(
        row.device_name,
        keys.decrypt(row.encrypted_secret, vault.bind_device(row.id)),
        of_product and keys.decrypt(of_product, vault.bind_device(row.id, PRODUCT)),
    )


def secrets(keys: Vault, row: Row[*tuple[Any, ...]]) -> list[str]:
    """Every deviceSecret that the device may use, the current one first."""
    stored = [row.encrypted_secret, row.next_secret]
    return [keys.decrypt(text, vault.bind_device(row.id)) for text in stored if text]


def issue(
    connection: Connection,
    keys: Vault,
    source: Source,
    row: Row[*tuple[Any, ...]],
    now: datetime,
    writes: WriteBatch,
) -> Given:
    """Give a device without a credential one of its product's source.

    What remains to be written is added to `writes`. Raises NothingLeft.
    """
    taken = SOURCES[source].take(connection, keys, row, now)
    name = taken.device_name or row.device_name
    given = Given(name, taken.device_secret, taken.product_secret)
    writes.add(_ADD, _values(keys, row.id, source, given, row.key_id, now))
    return given


def add_next(
    connection: Connection, keys: Vault, device: Device, source: Source
) -> None:
    """Make the credential that takes the place of the current one when it is seen.

    One that was made before and never seen is retired.
    """
    now = datetime.now(UTC)
    _drop_next(connection, device.id, now)
    row = read(connection, device.id)
    taken = SOURCES[source].take(connection, keys, row, now)
    given = Given(device.device_name, taken.device_secret, standing=CredentialSlot.NEXT)
    values = _values(keys, device.id, source, given, row.key_id, now)
    connection.execute(_ADD, values)


def promote(connection: Connection, device_id: int) -> bool:
    """The next credential was seen at the broker: it is the only one from now on.

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
    """No credential of the device is worth anything any more."""
    connection.execute(_RETIRE, {"id_": device_id, "now": datetime.now(UTC)})


def _drop_next(connection: Connection, device_id: int, now: datetime) -> None:
    change = _RETIRE.where(Credential.standing == CredentialSlot.NEXT)
    connection.execute(change, {"id_": device_id, "now": now})


def _values(
    keys: Vault,
    device_id: int,
    source: Source,
    given: Given,
    key_id: str,
    now: datetime,
) -> dict[str, Any]:
    of_product = given.product_secret
    return {
        "device_id": device_id,
        "standing": given.standing,
        "source": source,
        "encrypted_secret": keys.encrypt(
            given.device_secret, key_id, vault.bind_device(device_id)
        ),
        "encrypted_product_secret": of_product
        and keys.encrypt(of_product, key_id, vault.bind_device(device_id, PRODUCT)),
        "created_at": now,
    }

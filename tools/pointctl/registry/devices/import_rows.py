"""Rows of devices to be registered: check them, and add the good ones."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    and_,
    insert,
    literal,
    select,
    update,
)

from pointctl.registry.devices import import_steps
from pointctl.registry.devices.staging import (
    BadRow,
    ImportOutcome,
    RowRange,
    StagingTable,
)
from pointctl.registry.storage.models import Device, DeviceTag, State, bytewise

_CHUNK = 5000


@dataclass(frozen=True)
class ImportRow:
    """A device to be registered. Without a name, its name is the IMEI."""

    line: int
    imei: str
    device_name: str | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class CommonValues:
    """What all new devices of one import have in common."""

    product_key: str
    who: str
    batch_id: int | None
    tags: list[str]


def stage(
    connection: Connection, product_key: str, rows: Iterable[ImportRow | BadRow]
) -> tuple[StagingTable, ImportOutcome]:
    """Put the rows into a temporary table, and count new, known and bad ones."""
    staged = StagingTable(
        "import_rows",
        Column("imei", bytewise(15)),
        Column("device_name", bytewise(64)),  # the IMEI where none was given
        Column("named", Boolean),  # whether one was
        Column("tags", String),
        by=("imei", "device_name"),
    )
    staged.fill(connection, _values(rows))
    with connection.begin():
        staged.reject_repeated(connection, "imei", "IMEI")
        _find_known(connection, staged, product_key)
        _reject_taken_names(connection, staged, product_key)
        return staged, staged.count_outcome(connection)


def add(
    connection: Connection,
    staged: StagingTable,
    part: RowRange,
    common: CommonValues,
) -> None:
    """Register the new rows of a part, each with its own tags and the common ones."""
    row, is_new = staged.columns, staged.is_new_in(part)
    values = {
        "product_key": literal(common.product_key),
        "imei": row.imei,
        "device_name": row.device_name,
        "state": literal(State.REGISTERED.value),
        "batch_id": literal(common.batch_id, Integer),
        "created_at": literal(datetime.now(UTC), Device.created_at.type),
        "created_by": literal(common.who[:64]),
        "doubts": literal(0),
        "import_id": literal(part.import_id, Integer),
    }
    new = select(*values.values()).where(is_new).order_by(row.number)
    connection.execute(insert(Device).from_select(list(values), new))
    here = and_(Device.product_key == common.product_key, Device.imei == row.imei)
    # No join: for each part, SQLite would scan all devices.
    registered = select(Device.id).where(here).scalar_subquery()
    for tag in common.tags:
        tagged = select(registered, literal(tag)).where(is_new)
        connection.execute(insert(DeviceTag).from_select(["device_id", "tag"], tagged))
    own = select(row.number, registered.label("id"), row.tags)
    own = own.where(is_new, row.tags.is_not(None)).order_by(row.number)
    _add_own_tags(connection, own.limit(_CHUNK), row.number, set(common.tags))


def _add_own_tags(
    connection: Connection,
    query: Select[Any],
    number: ColumnElement[int],
    there: set[str],
) -> None:
    last = -1
    while rows := connection.execute(query.where(number > last)).all():
        last = rows[-1].number
        new = [
            {"device_id": row.id, "tag": tag}
            for row in rows
            for tag in row.tags.split()
            if tag not in there
        ]
        if new:
            connection.execute(insert(DeviceTag), new)


def _values(rows: Iterable[ImportRow | BadRow]) -> Iterator[dict[str, object]]:
    for row in rows:
        if isinstance(row, BadRow):
            yield {
                "imei": None,
                "device_name": None,
                "tags": None,
                "named": False,
                "line": row.line,
                "reason": row.reason,
            }
        else:
            yield {
                "imei": row.imei,
                "device_name": row.device_name or row.imei,
                "tags": " ".join(row.tags) or None,
                "named": row.device_name is not None,
                "line": row.line,
                "reason": None,
            }


def _find_known(connection: Connection, staged: StagingTable, product_key: str) -> None:
    """Mark the rows that are registered; reject them under another device name."""
    of = staged.columns
    registered = select(Device.device_name).where(
        Device.product_key == product_key,
        Device.imei == of.imei,
        import_steps.is_visible(Device),
    )
    known = update(staged.table).where(staged.is_good)
    connection.execute(known.values(known=registered.scalar_subquery()))
    staged.reject(
        connection,
        and_(of.named, of.known != of.device_name),
        "the IMEI is registered already, under the device name ",
        of.known,
    )


def _reject_taken_names(
    connection: Connection, staged: StagingTable, product_key: str
) -> None:
    """Reject new rows whose name another device or an earlier row has."""
    registered = select(Device.imei).where(
        Device.product_key == product_key,
        Device.device_name == staged.columns.device_name,
        import_steps.is_visible(Device),
    )
    earlier = staged.earlier.c
    in_file = (
        select(earlier.imei)
        .where(earlier.device_name == staged.columns.device_name)
        .where(earlier.number < staged.columns.number)
        .where(earlier.reason.is_(None), earlier.known.is_(None))
        .order_by(earlier.number)
        .limit(1)
    )
    for owner in (registered, in_file):
        staged.reject(
            connection,
            and_(staged.is_new, owner.exists()),
            "the device name is taken by IMEI ",
            owner.scalar_subquery(),
        )

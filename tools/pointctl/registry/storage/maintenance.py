"""Maintenance of a registry: find faults, and make backups."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, ForeignKey, Select, Table, and_, func, select

from pointctl.folder import private_path
from pointctl.registry.storage import schema
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import (
    Base,
    Claim,
    ClaimState,
    Credential,
    CredentialSlot,
    Device,
    State,
)


def find_faults(database: Database) -> list[str]:
    """Return the faults of a registry, in words.

    The registry may have any revision. It reads all rows, as of one moment, and boards
    are served meanwhile. Raises DatabaseError.
    """
    with database.snapshot() as session:
        connection = session.connection()
        revision, head = schema.revision(connection), schema.head()
        found = database.storage_faults(connection)
        if revision == head:
            return [
                *found,
                *_find_orphans(connection),
                *_find_contradictions(connection),
            ]
        if revision is None:
            return [*found, "the database has no registry"]
    return [
        *found,
        f"the tables have revision {revision}, not {head}: run pointctl db upgrade",
    ]


def read_revision(database: Database) -> str | None:
    """Return the revision of the tables; None if there are no tables yet."""
    with database.snapshot() as session:
        return schema.revision(session.connection())


def back_up(database: Database, path: Path) -> None:
    """Copy a registry, as of one moment, into a file that only its owner may read.

    Boards are served meanwhile. If it fails, an older copy stays. Raises PointctlError.
    """
    with private_path(path) as copy:
        database.back_up(copy)


def _find_orphans(connection: Connection) -> Iterator[str]:
    for table in Base.metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            if count := connection.execute(
                _count_without_parent(table, key)
            ).scalar_one():
                yield f"{count} rows of {table.name}.{key.parent.name} refer to no row"


def _count_without_parent(table: Table, key: ForeignKey) -> Select[int]:
    parent = key.column.table.alias()
    column = parent.c[key.column.name]
    both = table.join(parent, column == key.parent, isouter=True)
    orphans = select(func.count()).select_from(both)
    return orphans.where(key.parent.is_not(None), column.is_(None))


def _find_contradictions(connection: Connection) -> Iterator[str]:
    """Find states that no request and no command leads to."""
    current = and_(
        Credential.device_id == Device.id, Credential.standing == CredentialSlot.CURRENT
    )
    both = select(func.count()).join_from(Device, Credential, current, isouter=True)
    given = Device.state.in_([State.ISSUED, State.CONFIRMED])
    lost = connection.execute(both.where(given, Credential.id.is_(None))).scalar_one()
    if lost:
        yield f"{lost} devices were issued a credential that is missing"
    several = select(Claim.device_id).where(Claim.state == ClaimState.OPEN)
    several = several.group_by(Claim.device_id).having(func.count() > 1)
    counted = select(func.count()).select_from(several.subquery())
    if count := connection.execute(counted).scalar_one():
        yield f"{count} devices have more than one open claim"

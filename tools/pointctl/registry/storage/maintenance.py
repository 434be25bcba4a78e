"""Looking after a registry: whether it is whole, and copies for the day it is not."""

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


def check(database: Database) -> list[str]:
    """What is wrong with a registry, in words; nothing if it is well.

    It may be of any revision. All of it is read, as of one moment, and boards are
    served meanwhile. Raises DatabaseError.
    """
    with database.snapshot() as session:
        connection = session.connection()
        revision, head = schema.revision(connection), schema.head()
        found = database.storage_faults(connection)
        if revision == head:
            return [*found, *_orphans(connection), *_contradictions(connection)]
        if revision is None:
            return [*found, "there is no registry here"]
    return [*found, f"revision {revision} is not {head}: run pointctl db upgrade"]


def revision(database: Database) -> str | None:
    """Of which revision the tables are; None where there are none yet."""
    with database.snapshot() as session:
        return schema.revision(session.connection())


def backup(database: Database, path: Path) -> None:
    """Copy a registry as of one moment into a file that only its owner may read.

    Boards are served meanwhile. On an error an older copy stays. Raises PointctlError.
    """
    with private_path(path) as copy:
        database.back_up(copy)


def _orphans(connection: Connection) -> Iterator[str]:
    for table in Base.metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            if count := connection.execute(_without_parent(table, key)).scalar_one():
                yield f"{count} of {table.name}.{key.parent.name} refer to nothing"


def _without_parent(table: Table, key: ForeignKey) -> Select[int]:
    parent = key.column.table.alias()
    column = parent.c[key.column.name]
    both = table.join(parent, column == key.parent, isouter=True)
    orphans = select(func.count()).select_from(both)
    return orphans.where(key.parent.is_not(None), column.is_(None))


def _contradictions(connection: Connection) -> Iterator[str]:
    """What no requests and no commands lead to."""
    current = and_(
        Credential.device_id == Device.id, Credential.standing == CredentialSlot.CURRENT
    )
    both = select(func.count()).join_from(Device, Credential, current, isouter=True)
    given = Device.state.in_([State.ISSUED, State.CONFIRMED])
    lost = connection.execute(both.where(given, Credential.id.is_(None))).scalar_one()
    if lost:
        yield f"{lost} devices were issued a credential that is not there"
    several = select(Claim.device_id).where(Claim.state == ClaimState.OPEN)
    several = several.group_by(Claim.device_id).having(func.count() > 1)
    counted = select(func.count()).select_from(several.subquery())
    if count := connection.execute(counted).scalar_one():
        yield f"{count} devices have several open claims"

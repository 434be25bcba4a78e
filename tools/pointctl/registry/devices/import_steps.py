"""Adding many rows, all or none, while boards are served.

PostgreSQL adds them in one transaction, beside which all others write. On SQLite who
writes is alone, so there a large import is made in steps of two thousand rows, and
between them boards have their turn. What it has added belongs to it, and is not there
for boards, searches and commands until its last step, which is a single row. If it
fails, it removes its rows; if it was killed, the next command or import does.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from pointctl.errors import Refused
from pointctl.registry.devices.staging import Part, Staged
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Device, DeviceTag, Import, Pooled, table

_log = structlog.get_logger()

_STEP = 2000  # rows; a step of them takes some hundredths of a second
_BROKEN_OFF = timedelta(seconds=30)  # without a step: its process has gone
_TABLES = {each.name: each for each in (table(Device), table(Pooled))}
_IMPORTS = table(Import)
_UNFINISHED = select(_IMPORTS.c.id).where(_IMPORTS.c.finished_at.is_(None))
_SILENT = or_(_IMPORTS.c.alive_at.is_(None), _IMPORTS.c.alive_at < bindparam("since"))
_STAYS = (
    update(_IMPORTS)
    .where(_IMPORTS.c.id == bindparam("id_"), _IMPORTS.c.alive_at.is_not(None))
    .values(alive_at=bindparam("now"))
)
_GIVE_UP = (
    update(_IMPORTS).where(_IMPORTS.c.id == bindparam("id_")).values(alive_at=None)
)
_FINISH = (
    update(_IMPORTS)
    .where(_IMPORTS.c.id == bindparam("id_"))
    .values(finished_at=bindparam("now"))
)


def is_there(model: type[Device] | type[Pooled]) -> ColumnElement[bool]:
    """Whether a row is nobody's import that is not finished."""
    return or_(model.import_id.is_(None), model.import_id.not_in(_UNFINISHED))


def add_all(
    database: Database,
    connection: Connection,
    staged: Staged,
    into: type[Device] | type[Pooled],
    add: Callable[[Part], None],
    end: Callable[[], None],
) -> None:
    """Add what is new in a staging connection's table, all or none, and call end().

    add() and end() work on that connection. Raises Refused where others have just added
    what clashes with it.
    """
    whole = staged.size(connection)
    if not database.imports_in_steps or whole <= _STEP:
        with database.importing(connection):
            add(Part(0, whole))
            end()
        database.analyze(connection, whole)
        return
    undo_broken_off(database)
    own = _begin(database, table(into))
    try:
        for first in range(0, whole, _STEP):
            begun = time.monotonic()
            with _step(database, connection, own):
                add(Part(first, first + _STEP, own.id))
            time.sleep(time.monotonic() - begun)  # as long as that, others may write
        with _step(database, connection, own):
            end()
            connection.execute(_FINISH, {"id_": own.id, "now": datetime.now(UTC)})
    except BaseException:
        _undo(database, own)
        raise


def undo_broken_off(database: Database) -> None:
    """Remove what imports have left behind whose process was killed."""
    if not database.imports_in_steps:
        return
    since = datetime.now(UTC) - _BROKEN_OFF
    query = select(_IMPORTS.c.id, _IMPORTS.c.into, _IMPORTS.c.after_id)
    query = query.where(_IMPORTS.c.finished_at.is_(None), _SILENT)
    with database.snapshot() as session:
        found = session.execute(query, {"since": since}).all()
    for row in found:
        _undo(database, _Own(row.id, _TABLES[row.into], row.after_id))
        _log.warning("an import that was broken off is undone", rows_of=row.into)


@dataclass(frozen=True)
class _Own:
    """An import that is made in steps."""

    id: int
    into: Table
    after_id: int  # rows with ids up to it are not its


def _begin(database: Database, into: Table) -> _Own:
    now = datetime.now(UTC)
    with database.exclusive() as session:
        last = session.scalar(select(func.max(into.c.id))) or 0
        row = {"into": into.name, "after_id": last, "begun_at": now, "alive_at": now}
        made = session.execute(insert(_IMPORTS).returning(_IMPORTS.c.id), row)
        return _Own(made.scalar_one(), into, last)


@contextmanager
def _step(database: Database, connection: Connection, own: _Own) -> Iterator[None]:
    """One transaction of an import, if nobody has taken it for broken off."""
    with database.importing(connection):
        values = {"id_": own.id, "now": datetime.now(UTC)}
        if not connection.execute(_STAYS, values).rowcount:
            raise Refused("the import was interrupted for too long; do it again")
        yield


def _undo(database: Database, own: _Own) -> None:
    """Remove its rows, in steps. Broken off itself, it goes on when called again."""
    with database.exclusive() as session:
        session.execute(_GIVE_UP, {"id_": own.id})
    with database.staging() as connection:
        while _remove_some(database, connection, own):
            pass
    with database.exclusive() as session:
        session.execute(delete(_IMPORTS).where(_IMPORTS.c.id == own.id))


def _remove_some(database: Database, connection: Connection, own: _Own) -> int:
    begun = time.monotonic()
    of = own.into.c
    some = select(of.id).where(of.id > own.after_id, of.import_id == own.id)
    some = some.order_by(of.id).limit(_STEP)
    with database.importing(connection):
        if own.into is table(Device):
            connection.execute(delete(DeviceTag).where(DeviceTag.device_id.in_(some)))
        removed = connection.execute(delete(own.into).where(of.id.in_(some))).rowcount
    time.sleep(time.monotonic() - begun)
    return removed

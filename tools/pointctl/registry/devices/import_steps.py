"""Large imports: add many rows, all or none, while boards are served.

PostgreSQL adds them in one transaction, while others write too. SQLite has one writer
at a time, so there a large import runs in steps of two thousand rows, and boards are
served between the steps. The added rows carry the import's id. They stay invisible to
boards, searches and commands until the last step, which changes a single row. If the
import fails, it removes its rows; if it was killed, the next command or import does.
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
from pointctl.registry.devices.staging import RowRange, StagingTable
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Device, DeviceTag, Import, Pooled, table

_log = structlog.get_logger()

_STEP = 2000  # rows; a step of them takes some hundredths of a second
_INTERRUPTED_AFTER = timedelta(seconds=30)  # without a step; then its process is gone
_TABLES = {each.name: each for each in (table(Device), table(Pooled))}
_IMPORTS = table(Import)
_UNFINISHED = select(_IMPORTS.c.id).where(_IMPORTS.c.finished_at.is_(None))
_IS_SILENT = or_(
    _IMPORTS.c.alive_at.is_(None), _IMPORTS.c.alive_at < bindparam("since")
)
_SIGN_OF_LIFE = (
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


def is_visible(model: type[Device] | type[Pooled]) -> ColumnElement[bool]:
    """Return the condition that a row is not part of an unfinished import."""
    return or_(model.import_id.is_(None), model.import_id.not_in(_UNFINISHED))


def add_all(
    database: Database,
    connection: Connection,
    staged: StagingTable,
    into: type[Device] | type[Pooled],
    add: Callable[[RowRange], None],
    end: Callable[[], None],
) -> None:
    """Add the new rows of a staging connection's table, all or none, and call end().

    add() and end() work on that connection. Raises Refused if somebody else has just
    added rows that conflict with them.
    """
    total = staged.count_rows(connection)
    if not database.imports_in_steps or total <= _STEP:
        with database.importing(connection):
            add(RowRange(0, total))
            end()
        database.analyze(connection, total)
        return
    undo_interrupted(database)
    own = _begin(database, table(into))
    try:
        for first in range(0, total, _STEP):
            begun = time.monotonic()
            with _step(database, connection, own):
                add(RowRange(first, first + _STEP, own.id))
            time.sleep(time.monotonic() - begun)  # let others write for as long
        with _step(database, connection, own):
            end()
            connection.execute(_FINISH, {"id_": own.id, "now": datetime.now(UTC)})
    except BaseException:
        _undo(database, own)
        raise


def undo_interrupted(database: Database) -> None:
    """Remove the rows of imports whose process was killed."""
    if not database.imports_in_steps:
        return
    since = datetime.now(UTC) - _INTERRUPTED_AFTER
    query = select(_IMPORTS.c.id, _IMPORTS.c.into, _IMPORTS.c.after_id)
    query = query.where(_IMPORTS.c.finished_at.is_(None), _IS_SILENT)
    with database.snapshot() as session:
        found = session.execute(query, {"since": since}).all()
    for row in found:
        _undo(database, _SteppedImport(row.id, _TABLES[row.into], row.after_id))
        _log.warning("interrupted import undone", rows_of=row.into)


@dataclass(frozen=True)
class _SteppedImport:
    """An import that is made in steps."""

    id: int
    into: Table
    after_id: int  # its rows have greater ids


def _begin(database: Database, into: Table) -> _SteppedImport:
    now = datetime.now(UTC)
    with database.exclusive() as session:
        last = session.scalar(select(func.max(into.c.id))) or 0
        row = {"into": into.name, "after_id": last, "begun_at": now, "alive_at": now}
        made = session.execute(insert(_IMPORTS).returning(_IMPORTS.c.id), row)
        return _SteppedImport(made.scalar_one(), into, last)


@contextmanager
def _step(
    database: Database, connection: Connection, own: _SteppedImport
) -> Iterator[None]:
    """One transaction of an import. Raises Refused if somebody is undoing it."""
    with database.importing(connection):
        values = {"id_": own.id, "now": datetime.now(UTC)}
        if not connection.execute(_SIGN_OF_LIFE, values).rowcount:
            raise Refused("the import paused for too long and was undone; run it again")
        yield


def _undo(database: Database, own: _SteppedImport) -> None:
    """Remove the rows of an import, in steps. If interrupted, the next call goes on."""
    with database.exclusive() as session:
        session.execute(_GIVE_UP, {"id_": own.id})
    with database.staging() as connection:
        while _remove_some(database, connection, own):
            pass
    with database.exclusive() as session:
        session.execute(delete(_IMPORTS).where(_IMPORTS.c.id == own.id))


def _remove_some(
    database: Database, connection: Connection, own: _SteppedImport
) -> int:
    begun = time.monotonic()
    row = own.into.c
    some = select(row.id).where(row.id > own.after_id, row.import_id == own.id)
    some = some.order_by(row.id).limit(_STEP)
    with database.importing(connection):
        if own.into is table(Device):
            connection.execute(delete(DeviceTag).where(DeviceTag.device_id.in_(some)))
        removed = connection.execute(delete(own.into).where(row.id.in_(some))).rowcount
    time.sleep(time.monotonic() - begun)
    return removed

"""A registry in one SQLite file: how it is opened, and how transactions begin.

WAL, so that readers never wait; there is one writer at a time on the whole machine.
"""

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event

from pointctl.errors import PointctlError
from pointctl.folder import private_folder

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert

HAS_ONE_WRITER = True
LOOKUP: Mapping[str, str] = {"pointctl": "lookup"}
SNAPSHOT: Mapping[str, str] = {"pointctl": "snapshot"}
_BUSY_S = 10  # how long to wait for another process that is writing

_BEGIN = {
    "lookup": "",  # each statement sees its own moment
    "snapshot": "BEGIN",
    # A deferred transaction that starts to write later may fail at once as busy.
    "exclusive": "BEGIN IMMEDIATE",
    "row_locked": "BEGIN IMMEDIATE",
    "importing": "BEGIN IMMEDIATE",
}


def file_of(url: URL) -> Path:
    """The file of the registry."""
    return Path(url.database or "")


def make_engine(url: URL) -> Engine:
    """An engine on the file, which is made if it is not there."""
    path = file_of(url)
    private_folder(path.parent)
    # SQLite would make it readable to all; its -wal and -shm files take after it.
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    engine = create_engine(
        url,
        hide_parameters=True,  # they would put secrets into error texts
        # isolation_level None: the driver begins no transactions of its own.
        connect_args={"timeout": _BUSY_S, "isolation_level": None},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def make_board_engine(url: URL, engine: Engine) -> Engine:
    """The same engine: its planner takes an index wherever there is one."""
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    _use_wal(connection)
    # A reply that was sent must survive a power cut; NORMAL would not promise it.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Set the file's mode; SQLite's own waiting does not cover the first time."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    statement = _BEGIN[connection.get_execution_options().get("pointctl", "snapshot")]
    if statement:
        connection.exec_driver_sql(statement)


def upsert(table: Table) -> "Insert":
    """An INSERT with an ON CONFLICT clause."""
    from sqlalchemy.dialects.sqlite import insert

    return insert(table)


def pipelined(connection: Connection) -> AbstractContextManager[object]:
    """Do nothing: there is no server to wait for."""
    return nullcontext()


def lock(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    """Do nothing: whoever writes is alone."""


def analyze(connection: Connection) -> None:
    """Do nothing: SQLite takes an index where there is one."""


def faults(connection: Connection) -> list[str]:
    """What SQLite finds wrong with the file."""
    found = connection.exec_driver_sql("PRAGMA integrity_check(100)").scalars()
    return [text for text in found if text != "ok"]


def back_up(url: URL, path: Path) -> None:
    """Copy the file as of one moment, and read the copy; writers do not wait.

    Raises PointctlError.
    """
    source = f"file:{quote(url.database or '')}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(source, uri=True)) as registry,
            closing(sqlite3.connect(path)) as copy,
        ):
            registry.backup(copy)
            # A copy is one file: a WAL would be a second one.
            copy.execute("PRAGMA journal_mode=DELETE")
            ((found,),) = copy.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        raise PointctlError(f"{url.database}: {error}") from error
    if found != "ok":
        raise PointctlError(f"the copy is not whole: {found}; see pointctl db check")

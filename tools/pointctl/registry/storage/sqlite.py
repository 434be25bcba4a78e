"""A registry in one SQLite file: how it is opened, and how one writer at a time writes.

WAL, so that readers never wait; one writer at a time in all of the machine.
"""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event

from pointctl.errors import PointctlError
from pointctl.folder import private_folder

_BUSY_S = 10  # how long to wait for another process that is writing

_BEGIN = {
    "lookup": "",  # each statement sees its own moment
    "snapshot": "BEGIN",
    # A deferred transaction that starts to write later may fail at once as busy.
    "exclusive": "BEGIN IMMEDIATE",
    "row_locked": "BEGIN IMMEDIATE",
    "importing": "BEGIN IMMEDIATE",
}


def make_engine(url: URL, *, for_boards: bool = False) -> Engine:
    """An engine on the file, which is made if it is not there."""
    assert url.database
    path = Path(url.database)
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


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    _use_wal(connection)
    # A reply that was sent must survive a power cut; NORMAL would not promise it.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _use_wal(connection: sqlite3.Connection) -> None:
    """The file's mode; SQLite lets nobody wait who wants to set it first."""
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


def pipelined(connection: Connection) -> AbstractContextManager[object]:
    """Nothing: there is no server to wait for."""
    return nullcontext()


def lock(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    """Nothing: who writes is alone."""


def analyze(connection: Connection) -> None:
    """Nothing: it takes an index where there is one."""


def faults(connection: Connection) -> list[str]:
    """What SQLite finds wrong with the file."""
    found = connection.exec_driver_sql("PRAGMA integrity_check(100)").scalars()
    return [text for text in found if text != "ok"]


def back_up(url: URL, path: Path) -> None:
    """Copy the file as of one moment, and read the copy; writers are not held up.

    Raises PointctlError.
    """
    source = f"file:{quote(url.database or '')}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(source, uri=True)) as registry,
            closing(sqlite3.connect(path)) as copy,
        ):
            registry.backup(copy)
            # It leaves as one file: a WAL would be a second one.
            copy.execute("PRAGMA journal_mode=DELETE")
            ((found,),) = copy.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        raise PointctlError(f"{url.database}: {error}") from error
    if found != "ok":
        raise PointctlError(f"the copy is not whole: {found}; see pointctl db check")

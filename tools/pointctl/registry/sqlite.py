"""A registry in one SQLite file: how it is opened, and how one writer at a time writes.

WAL, so that readers never wait; one writer at a time in all of the machine.
"""

import os
import sqlite3
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event

from pointctl.folder import private_folder

_BUSY_S = 10  # how long to wait for another process that is writing

_BEGIN = {
    "reading": "BEGIN",
    # A deferred transaction that starts to write later may fail at once as busy.
    "writing": "BEGIN IMMEDIATE",
    "sharing": "BEGIN IMMEDIATE",
}


def make_engine(url: URL) -> Engine:
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
    connection.execute("PRAGMA journal_mode=WAL")
    # A reply that was sent must survive a power cut; NORMAL would not promise it.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("pointctl", "reading")
    connection.exec_driver_sql(_BEGIN[mode])

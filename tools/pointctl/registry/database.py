"""The registry's file, and the only place that knows it is SQLite."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError
from pointctl.folder import private_folder
from pointctl.registry import schema

_BUSY_S = 10  # how long to wait for another process that is writing


class DatabaseError(PointctlError):
    """The registry cannot be read or written."""


def open_database(path: Path) -> "Database":
    """Open the registry at `path`, making it or bringing its tables up to date.

    Raises DatabaseError, and Refused where a newer pointctl has written it.
    """
    private_folder(path.parent)
    # SQLite would make it readable to all; its -wal and -shm files take after it.
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    database = Database(path)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database


class Database:
    """Sessions on one registry file. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = _engine(path)
        self._writing_engine = self._engine.execution_options(pointctl_writing=True)
        # Waiting here is fair and wakes at once. SQLite's own waiting is a sleep that
        # grows: under load it multiplied the slowest replies by seven.
        self._one_writer = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Sessions that are open keep their connection."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Bring the tables up to date. Raises DatabaseError or Refused."""
        with self._translated():
            schema.migrate(self._engine, self._writing_engine, self._path)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the registry. Raises DatabaseError."""
        with self._translated(), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, alone from its first read on; committed when the block ends.

        What was loaded stays readable afterwards. Raises DatabaseError.
        """
        with (
            self._translated(),
            self._one_writer,
            Session(self._writing_engine, expire_on_commit=False) as session,
        ):
            yield session
            session.commit()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise DatabaseError(f"{self._path}: {error.orig}") from error


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,  # they would put secrets into error texts
        # isolation_level None: the driver begins no transactions of its own.
        connect_args={"timeout": _BUSY_S, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        # A reply that was sent must survive a power cut; NORMAL would not promise it.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("pointctl_writing")
        # A deferred transaction that starts to write later may fail at once as busy.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine

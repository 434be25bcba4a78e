"""A sandbox's own database: SQLite in the data folder, or PostgreSQL by a URL.

It is apart from the registry, so that no registry carries a test double's tables. What
is in it is disposable. So there are no migrations: it says which tables made it, and is
refused, to be deleted, where this pointctl would make other ones.
"""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import (
    URL,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.schema import CreateIndex, CreateTable

from pointctl.errors import PointctlError, Refused
from pointctl.folder import DataFolder
from pointctl.registry.storage import models
from pointctl.registry.storage.database import Database, is_missing, parse_url
from pointctl.registry.storage.vault import Vault

# One row for each sandbox: several may share a PostgreSQL database.
_STAMPS = Table(
    "sandboxes",
    MetaData(),
    Column("name", String(32), primary_key=True),
    Column("tables", String(16), nullable=False),
)


class SandboxTable(DeclarativeBase):
    """What the base class of a vendor's tables derives from."""

    type_annotation_map = {datetime: models.UtcDateTime()}  # noqa: RUF012


def new_metadata() -> MetaData:
    """The metadata of a vendor's tables, with names for constraints."""
    return MetaData(naming_convention=models.Base.metadata.naming_convention)


class SandboxDatabase:
    """Sessions on a sandbox's database. Threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def url(self) -> URL:
        """Where it is; it may hold a password."""
        return self._database.url

    def snapshot(self) -> AbstractContextManager[Session]:
        """A session that sees one moment of the database. Raises DatabaseError."""
        return self._database.snapshot()

    def exclusive(self) -> AbstractContextManager[Session]:
        """One transaction that is alone; committed when the block ends.

        Raises DatabaseError.
        """
        return self._database.exclusive()


@contextmanager
def open_sandbox_database(
    name: str, metadata: MetaData, where: Path | str, *, make: bool = True
) -> Iterator[SandboxDatabase]:
    """Open a sandbox's database while the block runs; `make` it if it is missing.

    A path is an SQLite file, a text is a URL. Raises DatabaseError, Refused for a
    database of another version or of another program, and PointctlError for one that
    is missing and is not to be made.
    """
    url = parse_url(where)
    if not make and is_missing(url):
        raise _missing(url.database or "")
    # The vault is not used, and so makes no key: a sandbox has sandbox_secret.py.
    folder = DataFolder(where.parent if isinstance(where, Path) else Path())
    with Database(url, Vault(folder)) as database:
        if make:
            _make_tables(database, name, metadata)
        _check_tables(database, name, metadata)
        yield SandboxDatabase(database)


def _make_tables(database: Database, name: str, metadata: MetaData) -> None:
    """Make the tables where there are none. Raises Refused for another program's."""
    with database.snapshot() as session:
        if _stamp(session.connection(), name) is not None:
            return
    # Alone from its first read on: of processes that start together one makes them.
    with database.exclusive() as session:
        connection = session.connection()
        if _stamp(connection, name) is None:
            _check_is_ours(connection, metadata, database.where)
            _STAMPS.create(connection, checkfirst=True)
            metadata.create_all(connection)
            stamp = {"name": name, "tables": fingerprint(metadata)}
            connection.execute(insert(_STAMPS).values(stamp))


def _check_tables(database: Database, name: str, metadata: MetaData) -> None:
    """Raise PointctlError where there are no tables, Refused where there are others."""
    with database.snapshot() as session:
        found = _stamp(session.connection(), name)
    if found is None:
        raise _missing(database.where)
    if found != fingerprint(metadata):
        raise Refused(
            f"another version of pointctl made {database.where}; a sandbox's data is "
            f"disposable: {_deletion(database)}"
        )


def _missing(where: str) -> PointctlError:
    return PointctlError(
        f"there is no sandbox at {where}: name another with --data or --database, or "
        "make one with pointctl sandbox products add"
    )


def fingerprint(metadata: MetaData) -> str:
    """16 hex digits that change whenever a table, a column or an index does."""
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index)) for index in indexes]
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]


def _stamp(connection: Connection, name: str) -> str | None:
    """The fingerprint of the tables that are there; None where there are none."""
    if not inspect(connection).has_table(_STAMPS.name):
        return None
    query = select(_STAMPS.c.tables).where(_STAMPS.c.name == name)
    found: str | None = connection.scalar(query)
    return found


def _check_is_ours(connection: Connection, metadata: MetaData, where: str) -> None:
    """Raise Refused for a database of another program, as a registry's."""
    tables = set(inspect(connection).get_table_names())
    if tables and (_STAMPS.name not in tables or tables & set(metadata.tables)):
        raise Refused(
            f"{where} holds the tables of something else, as of a registry: "
            "give the sandbox an empty database of its own"
        )


def _deletion(database: Database) -> str:
    if database.file is not None:
        return f"delete it, rm {database.file}*"
    return "drop that database, and create an empty one"

"""The registry's database: SQLite or PostgreSQL.

Only this module and the migrations ask which of the two it is. What differs between
them is in sqlite.py and postgresql.py, under the same names.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from sqlalchemy import URL, Connection, Engine, Table, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError, Refused
from pointctl.folder import DataFolder, current_folder
from pointctl.registry.storage import encryption, postgresql, schema, sqlite
from pointctl.registry.storage.vault import Vault

if TYPE_CHECKING:  # they take time to load, and few commands need them
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

    Upsert = PostgresqlInsert | SqliteInsert

_MANY = 1000  # new rows, and a planner should know of them


class _Kind(Protocol):
    """What the modules of the two databases have in common."""

    HAS_ONE_WRITER: bool  # whoever writes is alone, so nobody may write for long
    LOOKUP: Mapping[str, str]  # options of connections: each query, its own moment
    SNAPSHOT: Mapping[str, str]  # all queries of a session, one moment

    def file_of(self, url: URL) -> Path | None: ...
    def make_engine(self, url: URL) -> Engine: ...
    def make_board_engine(self, url: URL, engine: Engine) -> Engine: ...
    def upsert(self, table: Table) -> "Upsert": ...
    def pipelined(self, connection: Connection) -> AbstractContextManager[object]: ...
    def lock(
        self, connection: Connection, table: Table, ids: Sequence[int]
    ) -> None: ...
    def analyze(self, connection: Connection) -> None: ...
    def faults(self, connection: Connection) -> list[str]: ...
    def back_up(self, url: URL, path: Path) -> None: ...


class DatabaseError(PointctlError):
    """The registry cannot be read or written."""


def open_database(
    where: Path | str, folder: DataFolder | None = None, *, make: bool = True
) -> "Database":
    """Open the registry and bring its tables up to date; `make` it if it is missing.

    A path is an SQLite file; a text is a URL, sqlite:///… or postgresql://…. The keys
    of its secrets are in `folder`, else in the file's, else in the current data folder.
    Raises DatabaseError, Refused where a newer pointctl has written it, and
    PointctlError where it is missing and must not be made: then nothing is made.
    """
    url = parse_url(where)
    if not make and is_missing(url):
        raise _missing(url.database or "")
    database = Database(url, _vault(url, folder))
    try:
        if not make and database.is_empty():
            raise _missing(database.where)
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database


def existing_database(
    where: Path | str, folder: DataFolder | None = None
) -> "Database":
    """Open a registry as it is, of any revision. Raises PointctlError without one."""
    url = parse_url(where)
    if is_missing(url):
        raise _missing(url.database or "")
    return Database(url, _vault(url, folder))


def is_missing(url: URL) -> bool:
    """Whether the file of a URL is not there; of a server only its tables can say."""
    file = _kind_of(url).file_of(url)
    return file is not None and not file.is_file()


def _missing(where: str) -> PointctlError:
    return PointctlError(
        f"there is no registry at {where}: name another with --data or --database, or "
        "make one with pointctl products add"
    )


def has_password(where: str) -> bool:
    """Whether a URL holds a password. Raises PointctlError as parse_url()."""
    url = parse_url(where)
    return url.password is not None or "password" in url.query


def supports_several_processes(where: Path | str) -> bool:
    """Whether several server processes may share this registry.

    Raises PointctlError as parse_url().
    """
    return not _kind_of(parse_url(where)).HAS_ONE_WRITER


def parse_url(where: Path | str) -> URL:
    """The URL of a registry. Raises PointctlError, which does not quote `where`."""
    if isinstance(where, Path):
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        raise PointctlError(f"the database setting is not a URL: {_FORMS}") from None
    name = url.get_backend_name()
    if name not in _KINDS or (name == "sqlite" and not url.database):
        raise PointctlError(f"this database is not supported: {_FORMS}")
    return url


_FORMS = "use sqlite:///PATH or postgresql://[USER@]HOST[:PORT]/NAME"
_KINDS: dict[str, _Kind] = {"sqlite": sqlite, "postgresql": postgresql}


def _kind_of(url: URL) -> _Kind:
    return _KINDS[url.get_backend_name()]


def _vault(url: URL, folder: DataFolder | None) -> Vault:
    file = _kind_of(url).file_of(url)
    if folder is None and file is not None:
        folder = DataFolder(file.parent)
    return Vault(folder or current_folder())


class Database:
    """Sessions on one registry. Threads may share it."""

    def __init__(self, url: URL, vault: Vault) -> None:
        self.url = url
        self.vault = vault
        self._kind = _kind_of(url)
        with self._translated():
            self._engine = self._kind.make_engine(url)
            self._for_boards = self._kind.make_board_engine(url, self._engine)
        # A lock of ours is fair and wakes at once. SQLite's own waiting is a sleep that
        # grows: under load it multiplied the slowest replies by seven.
        lock: AbstractContextManager[object] = threading.Lock()
        self._one_writer = lock if self._kind.HAS_ONE_WRITER else nullcontext()
        for_people: Any = self._engine.execution_options
        for_boards: Any = self._for_boards.execution_options
        self._lookup: Engine = for_boards(**self._kind.LOOKUP)
        self._snapshot: Engine = for_people(**self._kind.SNAPSHOT)
        self._exclusive: Engine = for_people(pointctl="exclusive")
        self._row_locked: Engine = for_boards(pointctl="row_locked")

    @property
    def file(self) -> Path | None:
        """The file that the registry is; None where a server keeps it."""
        return self._kind.file_of(self.url)

    @property
    def where(self) -> str:
        """The file, or the server's URL without a password; for people."""
        if self.file is not None:
            return str(self.file)
        return self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def imports_in_steps(self) -> bool:
        """Whether a long transaction would stop all boards."""
        return self._kind.HAS_ONE_WRITER

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is not in use. Sessions that are open keep their connection."""
        self._engine.dispose()
        self._for_boards.dispose()

    def is_empty(self) -> bool:
        """Whether there are no tables of a registry yet. Raises DatabaseError."""
        with self._translated(), self._snapshot.connect() as connection:
            return schema.revision(connection) is None

    def migrate(self) -> None:
        """Bring the tables up to date, and choose the key of new secrets at first.

        Raises DatabaseError, VaultError or Refused.
        """
        with self._translated():
            schema.migrate(self._snapshot, self._exclusive, self.where)
        with self.snapshot() as session:
            if encryption.has_key(session.connection()):
                return
        with self.exclusive() as session:
            encryption.choose_first_key(session.connection(), self.vault)

    def storage_faults(self, connection: Connection) -> list[str]:
        """What the database itself finds wrong, as of a reading session."""
        return self._kind.faults(connection)

    def back_up(self, path: Path) -> None:
        """Copy the registry as of one moment into a file. Raises PointctlError."""
        with self._translated():
            self._kind.back_up(self.url, path)

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session that sees one moment of the registry. Raises DatabaseError."""
        with self._translated(), Session(self._snapshot) as session:
            yield session

    @contextmanager
    def lookup(self) -> Iterator[Connection]:
        """A connection for finding boards; each query sees its own moment.

        Raises DatabaseError.
        """
        with self._translated(), self._lookup.connect() as connection:
            yield connection

    @contextmanager
    def exclusive(self) -> Iterator[Session]:
        """One transaction, alone from its first read on; committed when the block ends.

        What was loaded stays readable afterwards. Raises DatabaseError.
        """
        with (
            self._translated(),
            self._one_writer,
            Session(self._exclusive, expire_on_commit=False) as session,
        ):
            yield session
            session.commit()

    @contextmanager
    def row_locked(self) -> Iterator[Connection]:
        """One transaction that others like it may run beside, but no exclusive().

        It is for boards' requests, and has to lock() the rows that it decides by. On
        SQLite it is alone all the same. Raises DatabaseError.
        """
        with (
            self._translated(),
            self._one_writer,
            self._row_locked.begin() as connection,
        ):
            yield connection

    def lock(self, connection: Connection, table: Table, ids: Sequence[int]) -> None:
        """Lock rows until the end of a row_locked(); read them afterwards.

        Lock all rows of a table that are needed by one call: two transactions that lock
        in two steps could wait for each other.
        """
        self._kind.lock(connection, table, ids)

    def upsert(self, table: Table) -> "Upsert":
        """An INSERT for which on_conflict_do_update() can be called."""
        return self._kind.upsert(table)

    def pipelined(self, connection: Connection) -> AbstractContextManager[object]:
        """A block of statements of a row_locked() that wait for no results.

        Not even for the number of rows.
        """
        return self._kind.pipelined(connection)

    @contextmanager
    def staging(self) -> Iterator[Connection]:
        """A connection of its own: temporary tables last as long as it does.

        What it begins itself changes nothing but those. Raises DatabaseError.
        """
        with self._translated(), self._engine.connect() as connection:
            connection.detach()
            yield connection

    @contextmanager
    def importing(self, connection: Connection) -> Iterator[None]:
        """One transaction of a staging connection that adds rows to the registry.

        It may take long, so PostgreSQL lets all others write beside it; on SQLite it is
        alone. Raises Refused where others have just added what clashes with it.
        """
        with self._one_writer:
            connection.execution_options(pointctl="importing")
            try:
                with connection.begin():
                    yield
            except IntegrityError as error:
                raise Refused(
                    "others have just added some of it; do it again in a minute"
                ) from error

    def analyze(self, connection: Connection, rows: int) -> None:
        """After an import of so many rows: let the planner know of them."""
        if rows >= _MANY:
            self._kind.analyze(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise DatabaseError for the driver's errors."""
        try:
            yield
        except DBAPIError as error:
            text = " ".join(str(error.orig).split())
            raise DatabaseError(f"{self.where}: {text}") from error
        except NoneFree as error:
            raise DatabaseError(
                f"{self.where}: too many requests at once; try again later"
            ) from error

"""The registry's database: SQLite or PostgreSQL, and only this module asks which."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy import URL, Connection, Engine, Table, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError, Refused
from pointctl.folder import DataFolder, current_folder
from pointctl.registry import encryption, postgresql, schema, sqlite
from pointctl.registry.vault import Vault


def has_password(where: str) -> bool:
    """Whether a URL holds a password. Raises PointctlError for what is none."""
    url = parsed(where)
    return url.password is not None or "password" in url.query


_MANY = 1000  # new rows, and a planner should know of them


class _Kind(Protocol):
    """What the modules of the two databases have in common."""

    def make_engine(self, url: URL, *, for_boards: bool = False) -> Engine: ...
    def pipelined(self, connection: Connection) -> AbstractContextManager[object]: ...
    def lock(
        self, connection: Connection, table: Table, ids: Sequence[int]
    ) -> None: ...
    def analyze(self, connection: Connection) -> None: ...
    def faults(self, connection: Connection) -> list[str]: ...
    def back_up(self, url: URL, path: Path) -> None: ...
    def overwrite_what_was_deleted(self, engine: Engine) -> None: ...


class DatabaseError(PointctlError):
    """The registry cannot be read or written."""


def open_database(
    where: Path | str, folder: DataFolder | None = None, *, make: bool = True
) -> "Database":
    """Open the registry, bringing its tables up to date; `make` it if it is missing.

    A path is an SQLite file; a text is a URL, sqlite:///… or postgresql://…. The keys
    of its secrets are in `folder`, else in the file's, else in the current data folder.
    Raises DatabaseError, Refused where a newer pointctl has written it, and
    PointctlError where it is missing and must not be made: then nothing is made.
    """
    url = parsed(where)
    if not make and _is_missing(url):
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
    """A registry as it is, of whatever revision. Raises PointctlError without one."""
    url = parsed(where)
    if _is_missing(url):
        raise _missing(url.database or "")
    return Database(url, _vault(url, folder))


def _is_missing(url: URL) -> bool:
    """Whether there is no file; of a server only its tables can say."""
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file()


def _missing(where: str) -> PointctlError:
    return PointctlError(
        f"there is no registry at {where}: name another with --data or --database, or "
        "make one with pointctl products add"
    )


def _vault(url: URL, folder: DataFolder | None) -> Vault:
    if folder is None and url.get_backend_name() == "sqlite":
        folder = DataFolder(Path(url.database or "").parent)
    return Vault(folder or current_folder())


def parsed(where: Path | str) -> URL:
    """The URL of a registry. Raises PointctlError, which does not quote it."""
    if isinstance(where, Path):
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        raise PointctlError("the database is no URL") from None
    kind = url.get_backend_name()
    if kind == "postgresql" or (kind == "sqlite" and url.database):
        return url
    raise PointctlError(
        "the database is sqlite:///PATH or postgresql://[USER@]HOST[:PORT]/NAME"
    )


class Database:
    """Sessions on one registry. Threads may share it."""

    def __init__(self, url: URL, vault: Vault) -> None:
        self.url = url
        self.vault = vault
        on_sqlite = url.get_backend_name() == "sqlite"
        self._kind: _Kind = sqlite if on_sqlite else postgresql
        with self._translated():
            self._engine = self._for_boards = self._kind.make_engine(url)
            if not on_sqlite:
                self._for_boards = self._kind.make_engine(url, for_boards=True)
        # Waiting here is fair and wakes at once. SQLite's own waiting is a sleep that
        # grows: under load it multiplied the slowest replies by seven.
        lock: AbstractContextManager[object] = threading.Lock()
        self._one_writer = lock if on_sqlite else nullcontext()
        self.imports_in_steps = on_sqlite  # where a long transaction stops all boards
        people = self._engine.execution_options
        boards = self._for_boards.execution_options
        if on_sqlite:
            self._looking = boards(pointctl="looking")
            self._reading = people(pointctl="reading")
        else:
            # Elsewhere each statement of a transaction sees another moment.
            self._looking = boards(isolation_level="AUTOCOMMIT")
            self._reading = people(isolation_level="REPEATABLE READ")
        self._writing = people(pointctl="writing")
        self._sharing = boards(pointctl="sharing")

    @property
    def where(self) -> str:
        """The file, or the server's URL without a password; for people."""
        if self.url.get_backend_name() == "sqlite":
            return self.url.database or ""
        return self.url.set(query={}).render_as_string(hide_password=True)

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
        with self._translated(), self._reading.connect() as connection:
            return schema.revision(connection) is None

    def migrate(self) -> None:
        """Bring the tables up to date, and encrypt the secrets of an old registry.

        Raises DatabaseError, VaultError or Refused.
        """
        with self._translated():
            schema.migrate(self._reading, self._writing, self.where)
        with self.reading() as session:
            if encryption.is_prepared(session.connection()):
                return
        with self.writing() as session:
            in_clear = encryption.prepare(session.connection(), self.vault)
        if in_clear:
            self._kind.overwrite_what_was_deleted(self._engine)

    def storage_faults(self, connection: Connection) -> list[str]:
        """What the database itself finds wrong, as of a reading session."""
        return self._kind.faults(connection)

    def back_up(self, path: Path) -> None:
        """Copy the registry as of one moment into a file. Raises PointctlError."""
        with self._translated():
            self._kind.back_up(self.url, path)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the registry. Raises DatabaseError."""
        with self._translated(), Session(self._reading) as session:
            yield session

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """For what a board is found by, each query of its own moment.

        Raises DatabaseError.
        """
        with self._translated(), self._looking.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, alone from its first read on; committed when the block ends.

        What was loaded stays readable afterwards. Raises DatabaseError.
        """
        with (
            self._translated(),
            self._one_writer,
            Session(self._writing, expire_on_commit=False) as session,
        ):
            yield session
            session.commit()

    @contextmanager
    def sharing(self) -> Iterator[Connection]:
        """One transaction that may run beside others like it, but beside no writing().

        It is for what boards ask for, and has to lock() what it decides by. On SQLite
        it is alone all the same. Raises DatabaseError.
        """
        with self._translated(), self._one_writer, self._sharing.begin() as connection:
            yield connection

    def lock(self, connection: Connection, table: Table, ids: Sequence[int]) -> None:
        """Have rows to itself until the end of a sharing(); read them afterwards.

        All that it needs of a table at once, or two of them could wait for each other.
        """
        self._kind.lock(connection, table, ids)

    def pipelined(self, connection: Connection) -> AbstractContextManager[object]:
        """A block of statements of a sharing() that wait for no results.

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
        try:
            yield
        except DBAPIError as error:
            told = " ".join(str(error.orig).split())
            raise DatabaseError(f"{self.where}: {told}") from error
        except NoneFree as error:
            raise DatabaseError(f"{self.where}: too many at once") from error

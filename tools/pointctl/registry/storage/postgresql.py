"""A registry in PostgreSQL: for several processes or machines that serve one fleet.

Every transaction takes one advisory lock: those that have to be alone take it
exclusively, the others share it. The server cuts off a client that hangs, so that it
cannot keep the fleet waiting.
"""

import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Select,
    Table,
    bindparam,
    create_engine,
    event,
    inspect,
    select,
)
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from pointctl.errors import PointctlError

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert

HAS_ONE_WRITER = False
LOOKUP: Mapping[str, str] = {"isolation_level": "AUTOCOMMIT"}
# By default each statement of a transaction sees another moment.
SNAPSHOT: Mapping[str, str] = {"isolation_level": "REPEATABLE READ"}
_LOCK = 0x506F696E74  # "Point"; advisory locks belong to one database
_BEGIN = {
    "exclusive": f"SELECT pg_advisory_xact_lock({_LOCK})",
    "row_locked": f"SELECT pg_advisory_xact_lock_shared({_LOCK})",
}
_SETTINGS = {
    "timezone": "UTC",
    "synchronous_commit": "on",  # a reply that was sent must survive a power cut
    "jit": "off",  # to compile a query for a page takes longer than the page
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}
# Boards' queries all find their rows by an index. A planner without statistics, as on a
# factory's first day, would read whole tables, and a prepared query would stay so.
_FOR_BOARDS = {"enable_seqscan": "off"}
_SECONDS_TO_CONNECT = 10
_UNUSED_S = 1  # an idle connection older than that is tested: the server may restart
_INVALID = """
    SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
    UNION ALL SELECT conname FROM pg_constraint WHERE NOT convalidated
"""


def file_of(url: URL) -> None:
    """None: a server keeps the registry."""


def make_engine(url: URL) -> Engine:
    """An engine on the database. Raises PointctlError where the driver is missing."""
    return _make_engine(url, {})


def make_board_engine(url: URL, engine: Engine) -> Engine:
    """Another engine, with the settings for boards' requests."""
    return _make_engine(url, _FOR_BOARDS)


def _make_engine(url: URL, settings: Mapping[str, str]) -> Engine:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,  # they would put secrets into error texts
            connect_args=_arguments(url, settings),
        )
    except ImportError as error:
        raise PointctlError(
            "the package psycopg is missing: pip install 'pointaccess[postgresql]'"
        ) from error
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _leave_out_values)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_check_unused, engine.dialect))
    return engine


def upsert(table: Table) -> "Insert":
    """An INSERT with an ON CONFLICT clause."""
    from sqlalchemy.dialects.postgresql import insert

    return insert(table)


@contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Send the statements of the block without waiting for each other's results.

    None may ask for a result, not even for the number of rows. Raises DBAPIError.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        with driver.pipeline():
            yield
    except driver.Error as error:
        _shorten(error)
        raise DBAPIError(None, None, error) from error


def lock(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    """Lock rows until the end of the transaction, in the order of their ids.

    This is a statement of its own: one that waits for a lock still sees the other
    tables as they were before it.
    """
    connection.execute(_locking(table), {"ids": ids})


@cache
def _locking(table: Table) -> Select[int]:
    rows = select(table.c.id).where(table.c.id.in_(bindparam("ids", expanding=True)))
    return rows.order_by(table.c.id).with_for_update(key_share=True)


def analyze(connection: Connection) -> None:
    """Give the planner statistics at once; by itself it takes minutes."""
    connection.execution_options(pointctl="snapshot")
    with connection.begin():
        connection.exec_driver_sql("ANALYZE")


def faults(connection: Connection) -> list[str]:
    """What PostgreSQL knows to be wrong. Reading every row raises for damage.

    Only PostgreSQL's own pg_amcheck looks deeper, and it needs a superuser.
    """
    for name in inspect(connection).get_table_names():
        quoted = connection.dialect.identifier_preparer.quote(name)
        every = f"SELECT count(length(row::text)) FROM {quoted} AS row"
        connection.exec_driver_sql(every)
    found = connection.exec_driver_sql(_INVALID).scalars()
    return [f"{name} is not valid" for name in found]


def back_up(url: URL, path: Path) -> None:
    """Dump the database as of one moment by pg_dump; pg_restore reads it.

    Raises PointctlError where pg_dump is missing or fails.
    """
    from psycopg.conninfo import make_conninfo

    program = shutil.which("pg_dump")
    if program is None:
        raise PointctlError("pg_dump is missing: apt-get install postgresql-client")
    given = url.translate_connect_args(username="user", database="dbname")
    wanted = {**_arguments(url, {}), **given, **url.query}
    password = wanted.pop("password", None)  # an argument is seen by everybody
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    command = [program, "--format=custom", "--no-password", f"--file={path}"]
    done = subprocess.run(
        [*command, f"--dbname={make_conninfo(**wanted)}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PointctlError(" ".join(done.stderr.split()) or "pg_dump failed")


def _arguments(url: URL, more: Mapping[str, str]) -> dict[str, Any]:
    """The driver's arguments beside the URL."""
    wanted = {**_SETTINGS, **more}
    settings = " ".join(f"-c {name}={value}" for name, value in wanted.items())
    arguments: dict[str, Any] = {
        "application_name": "pointctl",
        "connect_timeout": _SECONDS_TO_CONNECT,
        "options": settings,
    }
    if _elsewhere(url) and "sslmode" not in url.query and "PGSSLMODE" not in os.environ:
        arguments["sslmode"] = "verify-full"
        if "sslrootcert" not in url.query and "PGSSLROOTCERT" not in os.environ:
            arguments["sslrootcert"] = "system"
    return arguments


def _elsewhere(url: URL) -> bool:
    """Whether the server is on another machine."""
    host = url.host or url.query.get("host") or os.environ.get("PGHOST") or ""
    local = ("", "localhost", "127.0.0.1", "::1")
    return not isinstance(host, str) or not (host in local or host.startswith("/"))


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("pointctl", "snapshot")
    if mode in _BEGIN:
        connection.exec_driver_sql(_BEGIN[mode])


def _note_use(_driver: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _check_unused(
    dialect: Dialect,
    driver: DBAPIConnection,
    record: ConnectionPoolEntry,
    _proxy: PoolProxiedConnection,
) -> None:
    if time.monotonic() - record.info.get("used", math.inf) > _UNUSED_S:
        try:
            dialect.do_ping(driver)
        except dialect.loaded_dbapi.Error as error:
            # SQLAlchemy then tries another connection.
            raise DisconnectionError("the server closed the connection") from error


def _leave_out_values(context: ExceptionContext) -> None:
    """The server's DETAIL quotes rows, and so secrets: keep its first line only."""
    error = context.original_exception
    text = _shorten(error)
    if text and isinstance(context.sqlalchemy_exception, DBAPIError):
        context.sqlalchemy_exception.args = (f"({type(error).__qualname__}) {text}",)


def _shorten(error: BaseException) -> str | None:
    text: str | None = getattr(getattr(error, "diag", None), "message_primary", None)
    if text:
        error.args = (text,)
    return text

"""A registry in PostgreSQL: for several processes or machines that serve one fleet.

Transactions take one advisory lock: those that need to be alone take it for
themselves, the others share it. A client that hangs is cut off, so that it cannot keep
the fleet waiting.
"""

import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

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
# All that boards ask for is found by an index. A planner that has no statistics yet, as
# on a factory's first day, would read whole tables, and a prepared query keep to that.
_FOR_BOARDS = {"enable_seqscan": "off"}
_SECONDS_TO_CONNECT = 10
_UNUSED_S = 1  # after that the server may have restarted: ask whether it is there
_INVALID = """
    SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
    UNION ALL SELECT conname FROM pg_constraint WHERE NOT convalidated
"""


def make_engine(url: URL, *, for_boards: bool = False) -> Engine:
    """An engine on the database, for people or for what boards ask for.

    Raises PointctlError where the driver is missing.
    """
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,  # they would put secrets into error texts
            connect_args=_arguments(url, _FOR_BOARDS if for_boards else {}),
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


@contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Statements of such a block are sent without waiting for each other's results.

    They may not ask for any, not even for the number of rows. Raises DBAPIError.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        with driver.pipeline():
            yield
    except driver.Error as error:
        _leave_out_its_values(error)
        raise DBAPIError(None, None, error) from error


def lock(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    """Lock rows until the end of the transaction, in the order of their ids.

    By a statement of its own: one that waits for a lock still sees the other tables as
    they were before it.
    """
    connection.execute(_locking(table), {"ids": ids})


@cache
def _locking(table: Table) -> Select[int]:
    rows = select(table.c.id).where(table.c.id.in_(bindparam("ids", expanding=True)))
    return rows.order_by(table.c.id).with_for_update(key_share=True)


def analyze(connection: Connection) -> None:
    """Let the planner know at once; by itself it would within minutes."""
    connection.execution_options(pointctl="snapshot")
    with connection.begin():
        connection.exec_driver_sql("ANALYZE")


def faults(connection: Connection) -> list[str]:
    """What PostgreSQL knows to be wrong; reading every row may raise what it does not.

    Only its own pg_amcheck looks deeper, and needs a superuser.
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


def _arguments(url: URL, more: dict[str, str]) -> dict[str, Any]:
    """What the driver is told beside the URL."""
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
    """Whether the way to the server leaves this machine."""
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
            raise DisconnectionError("the server has gone") from error  # try another


def _leave_out_values(context: ExceptionContext) -> None:
    """The server's DETAIL quotes rows, and so secrets: keep its first line only."""
    error = context.original_exception
    told = _leave_out_its_values(error)
    if told and isinstance(context.sqlalchemy_exception, DBAPIError):
        context.sqlalchemy_exception.args = (f"({type(error).__qualname__}) {told}",)


def _leave_out_its_values(error: BaseException) -> str | None:
    told: str | None = getattr(getattr(error, "diag", None), "message_primary", None)
    if told:
        error.args = (told,)
    return told

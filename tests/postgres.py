"""A PostgreSQL of the tests' own: Debian's programs, a temporary folder, loopback."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from pointctl.broker.process import free_port
from tests import databases
from tests.patience import PATIENCE_S
from tests.runtimes import need

_USER = "pointctl"


class Cluster:
    """A running PostgreSQL server."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self.folder = folder
        self.port = port
        self.password = password
        self._process: subprocess.Popen[Any] | None = None
        self._databases = 0
        self._template = ""

    def start(self, *settings: str) -> None:
        """Start it, with settings as name=value."""
        told = [f"port={self.port}", f"unix_socket_directories={self.folder}"]
        told += ["listen_addresses=127.0.0.1", "log_min_messages=fatal", *settings]
        options = [argument for setting in told for argument in ("-c", setting)]
        found = need("postgresql").parent
        command = [str(found / "postgres"), "-D", str(self.folder / "data"), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, **_as_nobody()
            )
        ready = [str(found / "pg_isready"), "-q", "-t", "30", "-p", str(self.port)]
        for _ in range(600):
            if subprocess.run([*ready, "-h", "127.0.0.1"], check=False).returncode == 0:
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def stop(self) -> None:
        """End it as a power cut would, only orderly for those who wait for it."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: at once
            self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """kill -9 of the postmaster: the others end when they see that it has gone."""
        assert self._process
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object]]:
        """Run a statement of the superuser's; its rows."""
        with psycopg.connect(self.superuser(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def superuser(self, database: str) -> str:
        """Where to connect as the server's own user, by its socket."""
        return f"host={self.folder} port={self.port} user=postgres dbname={database}"

    def new_registry(self) -> str:
        """The URL of a registry of the newest revision: a copy, see databases.py."""
        if not self._template:
            made = self.new_database()
            databases.make_tables(made)
            self._template = made.rpartition("/")[2]
        return self.new_database(self._template)

    def new_database(self, template: str = "template1") -> str:
        """The URL of a database with its password; it is empty, or like another."""
        self._databases += 1
        name = f"registry{self._databases}"
        self.run(f"CREATE DATABASE {name} OWNER {_USER} TEMPLATE {template}")
        return f"postgresql://{_USER}:{self.password}@127.0.0.1:{self.port}/{name}"


@contextmanager
def cluster(*settings: str) -> Iterator[Cluster]:
    """A fresh server. It survives kill -9 of its processes, not a power cut."""
    found = need("postgresql").parent
    folder = Path(tempfile.mkdtemp(prefix="pointctl-postgres-"))
    try:
        if user := _nobody():
            os.chown(folder, user.pw_uid, user.pw_gid)
        subprocess.run(
            [
                *(str(found / "initdb"), "-D", str(folder / "data"), "--no-sync"),
                *("-U", "postgres", "-E", "UTF8", "--locale=C"),
                *("--auth-local=trust", "--auth-host=scram-sha-256"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **_as_nobody(),
        )
        made = Cluster(folder, free_port(), secrets.token_hex(8))
        made.start(*settings)
        try:
            made.run(f"CREATE USER {_USER} PASSWORD '{made.password}'")
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _nobody() -> pwd.struct_passwd | None:
    """Whom to run as: PostgreSQL refuses root."""
    if os.geteuid():
        return None
    names: Sequence[str] = ("postgres", "nobody")
    known = {user.pw_name: user for user in pwd.getpwall()}
    return next(known[name] for name in names if name in known)


def _as_nobody() -> dict[str, Any]:
    user = _nobody()
    return {"user": user.pw_uid, "group": user.pw_gid} if user else {}

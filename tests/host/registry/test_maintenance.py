"""pointctl db …, and the registry's database of each kind: check, backup, upgrade."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest

from pointctl.registry.devices import devices
from pointctl.registry.storage import maintenance, schema
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Claim, ClaimState, State
from tests.host.serving import ON_BOTH, imei, issue
from tests.optional import PARTS


@pytest.fixture
def program(monkeypatch):
    """pg_dump and pg_restore, of the version of the server."""
    if initdb := PARTS["postgresql"].find():
        monkeypatch.setenv("PATH", f"{initdb.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def chosen(database, monkeypatch):
    """The database is what commands use."""
    url = database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("POINTCTL_DATABASE", url)
    return database


@ON_BOTH
def test_a_registry_in_use_is_well(chosen, pointctl):
    """Boards that were served leave nothing to complain of."""
    for serial in range(3):
        issue(chosen, serial)
    done = pointctl("db", "check", "--json")
    assert done.code == 0
    assert done.json["faults"] == []
    assert done.json["revision"] == schema.head()
    assert pointctl("db", "check").out.startswith("no faults: ")


@ON_BOTH
def test_contradictions_are_found(chosen, pointctl):
    """What no request leads to, in words, and exit code 1."""
    with chosen.exclusive() as session:
        devices.find(session, imei(0)).state = State.ISSUED
        device = devices.find(session, imei(1))
        for number in range(2):
            claim = Claim(device_id=device.id, request_id=f"{number:032x}", answered=1)
            claim.state = ClaimState.OPEN
            claim.first_seen = claim.last_seen = device.created_at
            session.add(claim)
    done = pointctl("db", "check")
    assert done.code == 1
    assert done.out.splitlines() == [
        "1 devices were issued a credential that is missing",
        "1 devices have more than one open claim",
    ]


def test_orphans_and_damage_are_found(database, data, pointctl):
    """Rows that refer to nothing, and pages that are not what they were."""
    issue(database, 0)
    database.close()
    with closing(sqlite3.connect(data.registry)) as connection, connection:
        connection.execute("DELETE FROM devices WHERE imei = ?", [imei(0)])
    orphans = pointctl("db", "check").out.splitlines()
    assert "1 rows of credentials.device_id refer to no row" in orphans
    with closing(sqlite3.connect(data.registry)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_audit_device_id'"
        ).fetchone()[0]
    with data.registry.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    done = pointctl("db", "check")
    assert done.code == 1
    assert "audit" in done.out or "malformed" in done.err


@ON_BOTH
def test_a_backup_is_a_registry(chosen, data, pointctl, postgres, program, tmp_path):
    """As of one moment, readable by its owner only, and its boards are known."""
    secret = issue(chosen, 0)["device"]["deviceSecret"]
    out = tmp_path / "copy"
    assert pointctl("db", "backup", "--out", out).code == 0
    issue(chosen, 1)
    assert out.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == ["copy"]
    with open_database(_restored(out, postgres), data) as copy:
        assert maintenance.find_faults(copy) == []
        with copy.snapshot() as session:
            assert devices.find(session, imei(1)).state is State.REGISTERED
        assert issue(copy, 0)["device"]["deviceSecret"] == secret


def _restored(backup, postgres):
    if backup.read_bytes().startswith(b"SQLite"):
        return backup
    url = postgres.new_database()
    command = ["pg_restore", "--no-owner", f"--dbname={url}", str(backup)]
    subprocess.run(command, check=True)
    return url


@ON_BOTH
def test_a_backup_that_fails_leaves_the_last_one(chosen, pointctl, tmp_path, request):
    """Nothing is written in its place, and nothing beside it."""
    out = tmp_path / "copies" / "copy"
    out.parent.mkdir()
    out.write_text("the last one")
    chosen.close()
    if chosen.url.database and os.path.exists(chosen.url.database):
        shutil.copy(__file__, chosen.url.database)
    else:
        request.getfixturevalue("monkeypatch").setenv("PATH", "/nonexistent")
    done = pointctl("db", "backup", "--out", out)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert out.read_text() == "the last one"
    assert list(out.parent.iterdir()) == [out]


def test_a_backup_is_taken_while_others_write(database, data, tmp_path):
    """A transaction under way is not waited for, and is not in it."""
    with database.exclusive() as session:
        devices.find(session, imei(0)).state = State.ISSUED
        session.flush()
        maintenance.back_up(database, tmp_path / "copy")
    with open_database(tmp_path / "copy", data) as copy, copy.snapshot() as session:
        assert devices.find(session, imei(0)).state is State.REGISTERED


@pytest.mark.parametrize("what", [("check",), ("upgrade",), ("backup", "--out", "x")])
def test_no_registry_is_made_by_looking_after_it(pointctl, data, what):
    """One line, and nothing on disk."""
    done = pointctl("db", *what)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "there is no registry at" in done.err
    assert not data.path.exists()


def test_a_password_is_not_taken_from_arguments(pointctl):
    """Whoever can list processes would read it; the text does not repeat it."""
    for url in (
        "postgresql://u:canary@127.0.0.1:1/x",
        "postgresql://u@127.0.0.1:1/x?password=canary",
    ):
        done = pointctl("--database", url, "db", "check")
        assert done.code == 2
        assert "PGPASSFILE" in done.err
        assert "canary" not in done.err + done.out


@pytest.mark.parametrize(
    "url", ["canary", "mysql://u:canary@h/x", "sqlite://", "postgresql://h:canary/x"]
)
def test_what_is_no_database_is_said(pointctl, monkeypatch, url):
    """Without quoting it: there may be a password in it."""
    monkeypatch.setenv("POINTCTL_DATABASE", url)
    done = pointctl("devices", "list")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "canary" not in done.err


def test_a_wrong_password_is_one_line(postgres, pointctl, monkeypatch):
    """And is not shown."""
    url = postgres.new_registry().replace(postgres.password, "canary-7")
    monkeypatch.setenv("POINTCTL_DATABASE", url)
    done = pointctl("devices", "list")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "password authentication failed" in done.err
    assert "canary-7" not in done.err

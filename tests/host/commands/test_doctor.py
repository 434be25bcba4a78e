"""pointctl doctor: a deployment without faults, and each fault."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pointctl import certificates
from pointctl.doctor import files
from pointctl.doctor.findings import Level
from pointctl.folder import DataFolder
from pointctl.registry.accounts import operators
from pointctl.registry.devices import products
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import AuditEntry, Policy, Role
from pointctl.registry.storage.vault import VARIABLE
from tests.host.serving import Finished

Pointctl = Callable[..., Finished]
Levels = dict[str, set[str]]


@pytest.fixture
def well(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """A data folder in which nothing is weak."""
    monkeypatch.setenv(VARIABLE, "5a" * 32)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    certificates.init(data.ca, ["provision.example.com"]).ca_key.unlink()
    claim_keys.create_master(data)
    with open_database(data.registry) as database:
        products.add(
            database,
            "Tracker",
            policy=Policy.DEVICE_KEY,
            product_key="pk",
            mqtt_host="mqtt.test",
            mqtt_ssl=True,
        )
        operators.add(database, "ann", Role.ADMIN, "a long pass phrase", "op")
    (data.path / "copy").write_text("copy")
    (data.path / "copy").chmod(0o600)
    return data


def examined(pointctl: Pointctl, data: DataFolder, *options: str | Path) -> Finished:
    return pointctl("doctor", "--backup", data.path / "copy", *options)


def levels(pointctl: Pointctl, data: DataFolder, *options: str | Path) -> Levels:
    """Return the levels of each check."""
    found: Levels = {}
    for finding in examined(pointctl, data, "--json", *options).json:
        assert finding["level"] == "ok" or finding["remedy"]
        found.setdefault(finding["check"], set()).add(finding["level"])
    return found


def test_a_deployment_that_is_well(well: DataFolder, pointctl: Pointctl) -> None:
    """Exit code 0, and the report lists all checks."""
    done = examined(pointctl, well)
    assert done.code == 0, done
    assert "weak" not in done.out
    assert {"certificate", "disk", "clock", "operators"} <= set(levels(pointctl, well))


def test_nothing_there(data: DataFolder, pointctl: Pointctl) -> None:
    """An empty folder is an error, and nothing is made in it."""
    done = pointctl("doctor")
    assert done.code == 1
    assert "there is no registry at" in done.out
    assert not data.path.exists()


def test_exit_code_for_what_is_only_weak(well: DataFolder, pointctl: Pointctl) -> None:
    """Exit code 4, as in other commands for partial success."""
    done = pointctl("doctor")
    assert done.code == 4
    assert "backup: unknown" in done.out
    assert "1 weak" in done.err


@pytest.mark.parametrize(
    "name", ["claim-master", "registry.sqlite", "ca/server.key", "token"]
)
def test_files_that_others_may_read(
    well: DataFolder, pointctl: Pointctl, name: str
) -> None:
    """Each file with a secret is checked, including the hook's token."""
    token = well.path / "token"
    token.write_text("t" * 40)
    token.chmod(0o600)
    options = ("--mqtt-hook-token-file", token)
    assert levels(pointctl, well, *options)["hook token"] == {"ok"}
    (well.path / name).chmod(0o640)
    assert "wrong" in levels(pointctl, well, *options)["file modes"]
    assert examined(pointctl, well, *options).code == 1


def test_the_folder_and_the_authority(well: DataFolder, pointctl: Pointctl) -> None:
    """A folder open to others, and the authority's key on the server, are weak."""
    well.path.chmod(0o755)
    certificates.init(well.ca, ["a.example.com"], force=True)
    found = levels(pointctl, well)
    assert found["file modes"] == {"weak"}
    assert found["authority"] == {"weak"}


@pytest.mark.parametrize(
    ("days", "names", "check", "level"),
    [
        (10, ["a.example.com"], "certificate", "weak"),
        (400, ["localhost", "127.0.0.1"], "certificate names", "weak"),
    ],
)
def test_certificates(
    well: DataFolder,
    pointctl: Pointctl,
    days: int,
    names: list[str],
    check: str,
    level: str,
) -> None:
    """Certificates that expire soon, and those that no board can verify, are weak."""
    certificates.init(well.ca, names, days, force=True)
    assert levels(pointctl, well)[check] == {level}


def test_certificates_that_cannot_be_served(
    well: DataFolder, pointctl: Pointctl
) -> None:
    """The key of another certificate is wrong, and so is a missing one."""
    server_key = well.ca / "server.key"
    old = server_key.read_bytes()
    certificates.init(well.ca, ["a.example.com"], force=True)
    server_key.write_bytes(old)
    assert levels(pointctl, well)["certificate"] == {"wrong"}
    server_key.unlink()
    assert levels(pointctl, well)["certificate"] == {"wrong"}


def test_what_the_registry_holds(well: DataFolder, pointctl: Pointctl) -> None:
    """Open products, MQTT without TLS, and a missing admin are weak."""
    with open_database(well.registry) as database:
        products.add(
            database,
            "Old",
            policy=Policy.OPEN,
            product_key="open",
            mqtt_host="mqtt.test",
            mqtt_ssl=False,
        )
        operators.add(database, "bob", Role.ADMIN, "a long pass phrase", "op")
        operators.change(database, "bob", "op", role=Role.VIEWER)
    assert levels(pointctl, well)["operators"] == {"ok"}
    with open_database(well.registry) as database, database.exclusive() as session:
        session.connection().exec_driver_sql("UPDATE operators SET role = 'viewer'")
    found = levels(pointctl, well)
    assert found["product open"] == {"weak"}
    assert found["operators"] == {"weak"}
    out = examined(pointctl, well).out
    assert "policy open" in out
    assert "MQTT without TLS" in out


def test_keys(
    well: DataFolder, pointctl: Pointctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key beside the database is weak; a lost key or claim master is wrong."""
    monkeypatch.delenv(VARIABLE)
    assert levels(pointctl, well)["database key"] == {"wrong"}
    well.database_key.write_text("5a" * 32)
    well.database_key.chmod(0o600)
    assert levels(pointctl, well)["database key"] == {"weak"}
    well.claim_master.unlink()
    assert levels(pointctl, well)["claim master"] == {"wrong"}


def test_an_old_revision(well: DataFolder, pointctl: Pointctl) -> None:
    """The check does not upgrade the database."""
    with open_database(well.registry) as database, database.exclusive() as session:
        statement = "UPDATE alembic_version SET version_num = '0000'"
        session.connection().exec_driver_sql(statement)
    for _ in range(2):
        assert levels(pointctl, well)["database"] == {"wrong"}


def test_the_clock(well: DataFolder, pointctl: Pointctl) -> None:
    """An audit entry in the future means that the clock is wrong."""
    later = datetime.now(UTC) + timedelta(hours=1)
    with open_database(well.registry) as database, database.exclusive() as session:
        session.add(AuditEntry(at=later, who="op", what="x", subject="y"))
    assert levels(pointctl, well)["clock"] == {"wrong"}


def test_backups(well: DataFolder, pointctl: Pointctl) -> None:
    """An old backup is weak, a missing one is wrong."""
    copy = well.path / "copy"
    os.utime(copy, (0, time.time() - 10 * 86400))
    assert levels(pointctl, well)["backup"] == {"weak"}
    copy.unlink()
    assert levels(pointctl, well)["backup"] == {"wrong"}


@pytest.mark.parametrize(
    ("kind", "level"),
    [("nfs4", Level.WRONG), ("cifs", Level.WRONG), ("ext4", Level.OK)],
)
def test_disks(tmp_path: Path, kind: str, level: Level) -> None:
    """The last mount above the file counts."""
    mounts = tmp_path / "mounts"
    folder = str(tmp_path).replace(" ", "\\040")
    mounts.write_text(f"a / tmpfs rw 0 0\nserver:/b {folder} {kind} rw 0 0\n")
    (found,) = files.check_disk(tmp_path / "registry.sqlite", mounts)
    assert found.level is level
    (found,) = files.check_disk(tmp_path / "registry.sqlite", tmp_path / "none")
    assert found.level is Level.WEAK


def test_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server does not need the rights of root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert files.check_user().level is Level.WEAK


def test_on_postgresql(
    well: DataFolder,
    pointctl: Pointctl,
    postgres: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No disk is checked; the URL's password is not shown."""
    url = postgres.new_registry()
    with open_database(url, well):
        pass
    monkeypatch.setenv("POINTCTL_DATABASE", url)
    found = levels(pointctl, well)
    assert found["database"] == {"ok"}
    assert "disk" not in found
    assert postgres.password not in examined(pointctl, well).out


def test_a_database_elsewhere_that_is_not_verified() -> None:
    """A remote database whose URL disables verification is weak."""
    from sqlalchemy import make_url

    from pointctl.doctor import registry_checks

    url = "postgresql://u@db.example.com/x"
    assert not list(registry_checks._check_connection(make_url(url)))
    (found,) = registry_checks._check_connection(make_url(f"{url}?sslmode=require"))
    assert found.level is Level.WEAK

"""The registry's database: who may read it, its version, its errors."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

import pointctl
from pointctl.errors import PointctlError
from pointctl.registry.devices import devices, products
from pointctl.registry.storage.database import (
    DatabaseError,
    open_database,
    supports_several_processes,
)
from pointctl.registry.storage.models import Credential, Device
from tests.host.serving import ON_BOTH, imei
from tests.patience import PATIENCE_S


def test_only_the_owner_can_read_it(database, data):
    """The folder, the file, and what SQLite lays beside it while it is in use."""
    assert data.path.stat().st_mode & 0o777 == 0o700
    with database.snapshot() as session:
        session.execute(select(func.count(Device.id)))
        files = list(data.path.iterdir())
        modes = {path.name: path.stat().st_mode & 0o777 for path in files}
    assert modes.keys() >= {"registry.sqlite", "registry.sqlite-wal"}
    assert set(modes.values()) == {0o600}


def test_another_file_is_no_registry(tmp_path):
    """One line that names the file."""
    path = tmp_path / "x" / "registry.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(DatabaseError, match=r"registry\.sqlite: file is not"):
        open_database(path)


@ON_BOTH
def test_an_error_undoes_the_whole_block(database):
    """Nothing of a transaction stays when its block raises."""

    def add_and_fail():
        with database.exclusive() as session:
            device = devices.find(session, imei(0))
            device.credential = Credential(created_at=device.created_at)
            session.flush()
            raise PointctlError("after the flush")

    with pytest.raises(PointctlError, match="after the flush"):
        add_and_fail()
    with database.snapshot() as session:
        assert session.scalar(select(func.count(Credential.id))) == 0


@ON_BOTH
def test_errors_quote_no_values(database):
    """A failing statement's parameters may be secrets."""
    canary = "canary-7f3a"

    def add_to_no_device():
        with database.exclusive() as session:
            session.add(Credential(device_id=4711, encrypted_secret=canary))
            session.flush()

    with pytest.raises(DatabaseError) as caught:
        add_to_no_device()
    cause = caught.value.__cause__
    assert isinstance(cause, IntegrityError)
    assert canary not in str(caught.value) + str(cause)


def test_one_who_writes_alone_waits_for_those_who_share(database, postgres, data):
    """And they for it: on PostgreSQL, too, nothing comes between."""
    url, order = postgres.new_registry(), []
    with (
        open_database(url, data) as shared,
        ThreadPoolExecutor(2) as pool,
    ):
        products.add(shared, "T", product_key="pk", mqtt_host="h")

        def write(name):
            with shared.exclusive() as session:
                products.check_exists(session, "pk")  # it is alone from here on
                order.append(f"{name} begins")
                order.append(f"{name} ends")

        with shared.row_locked(), shared.row_locked():
            waiting = pool.submit(write, "alone")
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            order.append("shared")
        waiting.result(PATIENCE_S)
        with shared.exclusive() as session:
            products.check_exists(session, "pk")
            order.append("first begins")
            waiting = pool.submit(write, "second")
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            order.append("first ends")
        waiting.result(PATIENCE_S)
    assert order == [
        *("shared", "alone begins", "alone ends"),
        *("first begins", "first ends", "second begins", "second ends"),
    ]


def test_only_the_storage_asks_which_database_it_is():
    """All others use what Database offers; a third database would be one more file."""
    asks = re.compile(r"get_backend_name|dialect\.name|sqlalchemy\.dialects")
    root = Path(pointctl.__file__).parent
    storage = root / "registry/storage"
    found = {path for path in root.rglob("*.py") if asks.search(path.read_text())}
    kinds = {storage / f"{name}.py" for name in ("database", "sqlite", "postgresql")}
    migrations = set((storage / "migrations/versions").iterdir())
    assert found - migrations == kinds


@pytest.mark.parametrize(
    ("where", "several"),
    [
        (Path("registry.sqlite"), False),
        ("sqlite:///registry.sqlite", False),
        ("postgresql://h/registry", True),
        ("postgresql+psycopg://h/registry", True),
    ],
)
def test_which_may_be_shared_by_processes(where, several):
    """It is asked before the registry is opened."""
    assert supports_several_processes(where) is several

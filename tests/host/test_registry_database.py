"""The registry's database: who may read it, its version, its errors."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import ON_BOTH, imei
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from pointctl.errors import PointctlError, Refused
from pointctl.registry import devices, products
from pointctl.registry.database import DatabaseError, open_database
from pointctl.registry.models import Credential, Device
from tests.patience import PATIENCE_S


def test_only_the_owner_can_read_it(database, data):
    """The folder, the file, and what SQLite lays beside it while it is in use."""
    assert data.path.stat().st_mode & 0o777 == 0o700
    with database.reading() as session:
        session.execute(select(func.count(Device.id)))
        files = list(data.path.iterdir())
        modes = {path.name: path.stat().st_mode & 0o777 for path in files}
    assert modes.keys() >= {"registry.sqlite", "registry.sqlite-wal"}
    assert set(modes.values()) == {0o600}


def test_a_newer_registry_is_refused(database, data):
    """An old pointctl does not write what it does not understand."""
    with sqlite3.connect(data.registry) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(Refused, match="newer pointctl"):
        open_database(data.registry)


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
        with database.writing() as session:
            device = devices.find(session, imei(0))
            device.credential = Credential(created_at=device.created_at)
            session.flush()
            raise PointctlError("after the flush")

    with pytest.raises(PointctlError, match="after the flush"):
        add_and_fail()
    with database.reading() as session:
        assert session.scalar(select(func.count(Credential.id))) == 0


@ON_BOTH
def test_errors_quote_no_values(database):
    """A failing statement's parameters may be secrets."""
    canary = "canary-7f3a"

    def add_to_no_device():
        with database.writing() as session:
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
            with shared.writing() as session:
                products.check_exists(session, "pk")  # it is alone from here on
                order.append(f"{name} begins")
                order.append(f"{name} ends")

        with shared.sharing(), shared.sharing():
            waiting = pool.submit(write, "alone")
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            order.append("shared")
        waiting.result(PATIENCE_S)
        with shared.writing() as session:
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

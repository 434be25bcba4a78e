"""The registry's file: its tables, its version, its mode, its errors."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from serving import ON_BOTH, answer, imei
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import IntegrityError

from pointctl.errors import PointctlError, Refused
from pointctl.registry import devices, products
from pointctl.registry.database import DatabaseError, open_database
from pointctl.registry.models import Base, Credential, Device, Policy, State


def test_migrations_make_what_the_models_say(database, data):
    """Alembic finds nothing left to do."""
    engine = create_engine(f"sqlite:///{data.registry}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_a_registry_of_the_first_release_is_brought_up_to_date(data):
    """Nothing is lost, and its boards are served as before: unsigned."""
    data.path.mkdir()
    engine = create_engine(f"sqlite:///{data.registry}")
    config = Config()
    config.set_main_option("script_location", "pointctl.registry:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in _FIRST_RELEASE:
            connection.execute(text(statement))
    engine.dispose()
    with open_database(data.registry) as database:
        (product,) = products.listed(database)
        assert product.policy is Policy.OPEN
        with database.reading() as session:
            (issued, registered) = session.scalars(select(Device).order_by(Device.id))
        assert (issued.state, issued.doubts) == (State.ISSUED, 0)
        assert issued.issued_at == datetime(2026, 1, 2, tzinfo=UTC)
        assert issued.confirmed_at is issued.busy_until is None
        assert registered.state is State.REGISTERED
        config = answer(database, {"imei": imei(0), "productKey": "pk1"}).config
        assert config["device"]["deviceSecret"] == "kept"
        assert answer(database, {"imei": imei(1)}).code == "00000"
    engine = create_engine(f"sqlite:///{data.registry}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


_FIRST_RELEASE = (
    "INSERT INTO products (product_key, name, product_secret, mqtt_host, mqtt_qos, "
    "clean_session, created_at) VALUES ('pk1', 'T', 's', 'h', 1, 0, "
    "'2026-01-01 00:00:00.000000')",
    "INSERT INTO devices (id, product_key, imei, device_name, state, created_at, "
    f"issued_at) VALUES (1, 'pk1', '{imei(0)}', 'a', 'issued', "
    "'2026-01-01 00:00:00.000000', '2026-01-02 00:00:00.000000'), "
    f"(2, 'pk1', '{imei(1)}', 'b', 'registered', '2026-01-01 00:00:00.000000', NULL)",
    "INSERT INTO credentials (device_id, device_secret, created_at) "
    "VALUES (1, 'kept', '2026-01-02 00:00:00.000000')",
)


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


def test_many_may_open_a_fresh_one_together(data):
    """One of them makes the tables, the others wait for it."""

    def add(number):
        with open_database(data.registry) as database:
            products.add(database, f"T{number}", mqtt_host="h")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with open_database(data.registry) as database:
        assert len(products.listed(database)) == 8


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
    url, order = postgres.new_database(), []
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
        waiting.result(30)
        with shared.writing() as session:
            products.check_exists(session, "pk")
            order.append("first begins")
            waiting = pool.submit(write, "second")
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            order.append("first ends")
        waiting.result(30)
    assert order == [
        *("shared", "alone begins", "alone ends"),
        *("first begins", "first ends", "second begins", "second ends"),
    ]

"""The registry's tables: made as the models say, and brought up from any revision."""

import importlib
import pkgutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from serving import ON_BOTH, answer, imei
from sqlalchemy import URL, create_engine, select, text

import pointctl
from pointctl.registry.devices import products
from pointctl.registry.storage import schema
from pointctl.registry.storage.database import open_database, parsed
from pointctl.registry.storage.models import Base, Device, Policy, State

# Rooms have tables of their own, which the registry's migrations make.
for _module in pkgutil.walk_packages(pointctl.__path__, "pointctl."):
    if _module.name.endswith(".models"):
        importlib.import_module(_module.name)

_CONFIG = Config()
_CONFIG.set_main_option("script_location", "pointctl.registry.storage:migrations")
_SCRIPTS = ScriptDirectory.from_config(_CONFIG)
_FIRST, *_LATER = [
    script.revision for script in reversed(list(_SCRIPTS.walk_revisions()))
]
REVISIONS = pytest.mark.parametrize("revision", [_FIRST, *_LATER])
# One product, a device that was served and one that was not.
_FIRST_RELEASE = (
    "INSERT INTO products (product_key, name, product_secret, mqtt_host, mqtt_qos, "
    "clean_session, created_at) VALUES ('pk1', 'T', 's', 'h', 1, :no, "
    "'2026-01-01 00:00:00.000000')",
    "INSERT INTO devices (id, product_key, imei, device_name, state, created_at, "
    f"issued_at) VALUES (1, 'pk1', '{imei(0)}', 'a', 'issued', "
    "'2026-01-01 00:00:00.000000', '2026-01-02 00:00:00.000000'), "
    f"(2, 'pk1', '{imei(1)}', 'b', 'registered', '2026-01-01 00:00:00.000000', NULL)",
    "INSERT INTO credentials (device_id, device_secret, created_at) "
    "VALUES (1, 'kept', '2026-01-02 00:00:00.000000')",
)


def in_use_since_the_first_release(url: URL, revision: str) -> None:
    """A registry that was filled under the first revision and upgraded to another."""
    engine = create_engine(url)
    with engine.begin() as connection:
        _CONFIG.attributes["connection"] = connection
        command.upgrade(_CONFIG, _FIRST)
        for statement in _FIRST_RELEASE:
            values = {"no": False} if ":no" in statement else {}
            connection.execute(text(statement), values)
        command.upgrade(_CONFIG, revision)
    engine.dispose()


def test_the_last_file_is_the_head():
    """Alembic, which is not asked each time, says the same."""
    assert schema.head() == _SCRIPTS.get_current_head()


def differences(url: URL) -> list[object]:
    """What Alembic would still have to do."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    return found


def check_brought_up_to_date(where, data) -> None:
    with open_database(where, data) as database:
        (product,) = products.list_products(database)
        assert product.policy is Policy.OPEN
        with database.snapshot() as session:
            (issued, registered) = session.scalars(select(Device).order_by(Device.id))
        assert (issued.state, issued.doubts) == (State.ISSUED, 0)
        assert issued.issued_at == datetime(2026, 1, 2, tzinfo=UTC)
        assert issued.confirmed_at is issued.busy_until is None
        assert registered.state is State.REGISTERED
        config = answer(database, {"imei": imei(0), "productKey": "pk1"}).config
        assert config["device"]["deviceSecret"] == "kept"
        assert answer(database, {"imei": imei(1)}).code == "00000"
        assert differences(database.url) == []


@ON_BOTH
def test_migrations_make_what_the_models_say(database):
    """Alembic finds nothing left to do."""
    assert differences(database.url) == []


@REVISIONS
def test_from_each_revision_on_sqlite(data, revision):
    """Nothing is lost, and boards are served as they were: the first ones unsigned."""
    data.path.mkdir()
    in_use_since_the_first_release(parsed(data.registry), revision)
    check_brought_up_to_date(data.registry, data)


@REVISIONS
def test_from_each_revision_on_postgresql(data, postgres, revision):
    """The same there."""
    url = postgres.new_database()
    psycopg = parsed(url).set(drivername="postgresql+psycopg")
    in_use_since_the_first_release(psycopg, revision)
    check_brought_up_to_date(url, data)


@ON_BOTH
def test_many_may_open_a_fresh_one_together(data, request, database):
    """One of them makes the tables, the others wait for it."""
    where = data.path / "fresh" / "registry.sqlite"
    if database.url.get_backend_name() == "postgresql":
        where = request.getfixturevalue("postgres").new_database()

    def add(number):
        with open_database(where, data) as opened:
            products.add(opened, f"T{number}", mqtt_host="h")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with open_database(where, data) as opened:
        assert len(products.list_products(opened)) == 8

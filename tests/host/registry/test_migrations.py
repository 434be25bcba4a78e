"""The registry's tables: made as the models declare, and migrated from any revision."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from os import environ
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, inspect, select, text

from pointctl.errors import Refused
from pointctl.registry.devices import products
from pointctl.registry.storage import models, schema, vault
from pointctl.registry.storage.database import open_database, parse_url
from pointctl.registry.storage.models import Base, Device, Policy, State
from pointctl.registry.storage.vault import Vault
from tests.host.serving import ON_BOTH, answer, imei, url_of

_CONFIG = Config()
_CONFIG.set_main_option("script_location", "pointctl.registry.storage:migrations")
_SCRIPTS = ScriptDirectory.from_config(_CONFIG)
_FIRST, *_LATER = [
    script.revision for script in reversed(list(_SCRIPTS.walk_revisions()))
]
_ON_EACH = pytest.mark.parametrize("where", ["sqlite", "postgresql"], indirect=True)
# One product, a device that was served and one that was not, as of revision 0001. Leave
# these rows as they are when the tables change: later revisions have to migrate them.
_ROWS = (
    "INSERT INTO database_keys (key_id, created_at) "
    "VALUES (:key_id, '2026-01-01 00:00:00.000000')",
    "INSERT INTO products (product_key, name, policy, encrypted_secret, mqtt_host, "
    "mqtt_qos, clean_session, source, pool_warn_below, max_failures_per_s, created_at) "
    "VALUES ('pk1', 'T', 'open', :of_product, 'h', 1, :no, 'mint', 100, 200, "
    "'2026-01-01 00:00:00.000000')",
    "INSERT INTO devices (id, product_key, imei, device_name, state, created_at, "
    "enrolled_at, issued_at, doubts) VALUES "
    "(1, 'pk1', :issued, 'a', 'issued', '2026-01-01 00:00:00.000000', "
    "'2026-01-02 00:00:00.000000', '2026-01-02 00:00:00.000000', 0), "
    "(2, 'pk1', :registered, 'b', 'registered', '2026-01-01 00:00:00.000000', NULL, "
    "NULL, 0)",
    "INSERT INTO credentials (device_id, standing, source, encrypted_secret, "
    "created_at) VALUES (1, 'current', 'mint', :of_device, "
    "'2026-01-02 00:00:00.000000')",
    "INSERT INTO audit (device_id, at, who, what) "
    "VALUES (1, '2026-01-02 00:00:00.000000', 'server', 'issued')",
)


@pytest.fixture
def where(request, data) -> Path | str:
    """Where a registry is that nobody has made yet."""
    data.path.mkdir()
    return url_of(request, empty=True) or data.registry


def engine_of(where: Path | str) -> Engine:
    """An engine of SQLAlchemy's own on this registry."""
    url = parse_url(where)
    on_sqlite = url.get_backend_name() == "sqlite"
    return create_engine(url if on_sqlite else _with_driver(url))


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg")


def fill_and_upgrade(where: Path | str, keys: Vault, revision: str) -> None:
    """A registry that was filled under the first revision and upgraded to another."""
    keys.make_first()
    key_id = keys.newest()
    assert key_id is not None
    values = {
        "key_id": key_id,
        "of_product": keys.encrypt("ps", key_id, vault.bind_product("pk1")),
        "of_device": keys.encrypt("kept", key_id, vault.bind_device(1)),
        "issued": imei(0),
        "registered": imei(1),
        "no": False,
    }
    engine = engine_of(where)
    with engine.begin() as connection:
        _CONFIG.attributes["connection"] = connection
        command.upgrade(_CONFIG, _FIRST)
        for statement in _ROWS:
            needed = {name: values[name] for name in values if f":{name}" in statement}
            connection.execute(text(statement), needed)
        command.upgrade(_CONFIG, revision)
    engine.dispose()


def described(engine: Engine) -> dict[str, object]:
    """All that a database says of its tables, whatever the order of their columns."""
    inspector = inspect(engine)
    found: dict[str, object] = {}
    for name in set(inspector.get_table_names()) - {"alembic_version"}:
        columns = {
            column["name"]: (str(column["type"]), column["nullable"], column["default"])
            for column in inspector.get_columns(name)
        }
        found[name] = {
            "columns": columns,
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": _sorted(inspector.get_foreign_keys(name)),
            "unique": _sorted(inspector.get_unique_constraints(name)),
            "indexes": _sorted(inspector.get_indexes(name)),
        }
    engine.dispose()
    return found


def _sorted(parts) -> list[str]:
    """Each as text: the conditions of indexes are objects, and are never equal."""
    return sorted(
        str({name: _as_text(value) for name, value in part.items()}) for part in parts
    )


def _as_text(value: object) -> object:
    if isinstance(value, dict):
        return {name: str(each) for name, each in value.items()}
    return value


def test_the_last_file_is_the_head():
    """Alembic, which is not asked each time, says the same."""
    assert schema.head() == _SCRIPTS.get_current_head()


@_ON_EACH
def test_migrations_make_what_the_models_declare(where, data, request):
    """Tables, columns, types, defaults, keys, constraints and indexes, by their names.

    The other database is made by SQLAlchemy from the models.
    """
    open_database(where, data).close()
    other: Path | str = data.path / "declared.sqlite"
    if isinstance(where, str):
        other = request.getfixturevalue("postgres").new_database()
    declared = [
        models.table(mapper.class_)
        for mapper in Base.registry.mappers
        if mapper.class_.__module__ == models.__name__
    ]
    Base.metadata.create_all(engine := engine_of(other), tables=declared)
    assert len(declared) > 10
    assert described(engine_of(where)) == described(engine)


@_ON_EACH
@pytest.mark.parametrize("revision", [_FIRST, *_LATER])
def test_a_registry_of_each_revision_is_migrated(where, data, revision):
    """Nothing is lost, and boards are served as they were."""
    fill_and_upgrade(where, Vault(data), revision)
    with open_database(where, data) as database:
        (product,) = products.list_products(database)
        assert product.policy is Policy.OPEN
        with database.snapshot() as session:
            issued, registered = session.scalars(select(Device).order_by(Device.id))
            assert schema.revision(session.connection()) == schema.head()
        assert (issued.state, issued.doubts) == (State.ISSUED, 0)
        assert issued.issued_at == datetime(2026, 1, 2, tzinfo=UTC)
        assert issued.confirmed_at is issued.busy_until is None
        assert registered.state is State.REGISTERED
        config = answer(database, {"imei": imei(0), "productKey": "pk1"}).config
        assert config is not None
        assert config["device"]["deviceSecret"] == "kept"
        assert config["device"]["productSecret"] == "ps"
        assert answer(database, {"imei": imei(1)}).code == "00000"
    open_database(where, data).close()  # again: there is nothing to do


@ON_BOTH
def test_a_registry_of_a_newer_revision_is_refused(database, data):
    """An old pointctl does not write what it does not understand."""
    with database.exclusive() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refused, match=r"9999.*newer pointctl"):
        open_database(database.url.render_as_string(hide_password=False), data)


@_ON_EACH
@pytest.mark.usefixtures("migrated_registries")
def test_many_may_open_a_fresh_one_together(where, data):
    """One of them makes the tables, the others wait for it."""

    def add(number):
        with open_database(where, data) as opened:
            products.add(opened, f"T{number}", mqtt_host="h")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with open_database(where, data) as opened:
        assert len(products.list_products(opened)) == 8


@_ON_EACH
def test_two_processes_may_start_together(where, data):
    """Each on the fresh registry; both have its tables and its key."""
    url = parse_url(where).render_as_string(hide_password=False)
    command = [sys.executable, "-m", "pointctl", "products", "add", "--mqtt-host", "h"]
    started = [
        subprocess.Popen(
            [*command, f"T{number}"],
            env=environ | {"POINTCTL_DATABASE": url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    with open_database(where, data) as opened:
        assert {each.name for each in products.list_products(opened)} == {"T0", "T1"}
        with opened.snapshot() as session:
            keys = session.scalars(select(models.DatabaseKey.key_id)).all()
        assert len(keys) == 1

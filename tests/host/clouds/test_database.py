"""A sandbox's own database: made once, private, and never another program's."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Column, Index, Integer, MetaData, String, Table, inspect, text

from pointctl.clouds.gizwits.preauth.sandbox import stock
from pointctl.clouds.gizwits.preauth.sandbox.models import GizwitsTable
from pointctl.clouds.gizwits.sandbox.database import open_database
from pointctl.clouds.kit.database import fingerprint, open_sandbox_database
from pointctl.errors import PointctlError, Refused
from pointctl.registry.storage.database import DatabaseError
from pointctl.registry.storage.database import open_database as open_registry
from tests.host.preauth import ON_BOTH
from tests.host.serving import PRODUCT


def where(data, request, database):
    """A new place of the same kind as a database's."""
    if database.url.get_backend_name() == "postgresql":
        return request.getfixturevalue("postgres").new_database()
    return f"sqlite:///{data.path / 'new' / 'sandbox.sqlite'}"


@ON_BOTH
def test_many_may_open_a_fresh_one_together(data, request, sandbox_database):
    """One of them makes the tables, the others wait for it."""
    url = where(data, request, sandbox_database)

    def add(number):
        with open_database(data, url) as opened:
            stock.add_product(opened, f"pk{number}", "T")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with open_database(data, url) as opened:
        keys = [each["product_key"] for each in stock.list_products(opened)]
    assert keys == [f"pk{number}" for number in range(8)]


@ON_BOTH
def test_what_another_version_made_is_refused(data, request, sandbox_database):
    """It says what to do; the data stays until somebody does it."""
    url = sandbox_database.url.render_as_string(hide_password=False)
    with sandbox_database.exclusive() as session:
        session.execute(text("UPDATE sandboxes SET tables = 'older'"))
    todo = "empty one" if url.startswith("postgresql") else r"rm .*\.sqlite\*"
    refused = pytest.raises(Refused, match=f"disposable: .*{todo}")
    with refused, open_database(data, url):
        pass
    with sandbox_database.snapshot() as session:
        found = session.scalar(text("SELECT product_key FROM gizwits_products"))
    assert found == PRODUCT


@ON_BOTH
def test_a_registry_is_refused(data, request, sandbox_database):
    """Nothing is added to it."""
    url = where(data, request, sandbox_database)
    with open_registry(url, data) as registry:
        refused = pytest.raises(Refused, match="empty database of its own")
        with refused, open_database(data, url):
            pass
        with registry.snapshot() as session:
            assert not inspect(session.connection()).has_table("sandboxes")


@ON_BOTH
def test_another_sandbox_may_share_it(data, request, sandbox_database):
    """Each has tables, and a stamp, of its own."""
    url = where(data, request, sandbox_database)
    metadata = made(a=String(5))
    for _ in range(2):
        with open_database(data, url), open_sandbox_database("o", metadata, url):
            pass
    same = GizwitsTable.metadata
    clash = pytest.raises(Refused, match="of something else")
    with clash, open_sandbox_database("x", same, url):
        pass


def made(**columns):
    """The metadata of one table."""
    metadata = MetaData()
    given = [Column(name, type_) for name, type_ in columns.items()]
    Table("things", metadata, Column("id", Integer, primary_key=True), *given)
    return metadata


def test_the_fingerprint_changes_with_the_tables():
    """A column, its type, an index: each makes another one."""
    indexed = made(a=String(6))
    Index("ix", indexed.tables["things"].c.a)
    other = made(a=String(6))
    Index("ix", other.tables["things"].c.a, unique=True)
    tables = [made(), made(a=String(5)), made(a=String(6)), indexed, other]
    assert len({fingerprint(each) for each in tables}) == 5
    assert fingerprint(made()) == fingerprint(made())


def test_its_file_is_private_and_the_registry_is_not_made(data, sandbox_database):
    """Nor is a key of the registry's."""
    names = {path.name for path in data.path.iterdir()}
    files = {f"gizwits-sandbox.sqlite{end}" for end in ("", "-wal", "-shm")}
    assert names == {"gizwits-sandbox-key", *files}
    for path in data.path.iterdir():
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


@pytest.mark.parametrize("content", [b"no database at all, but a text", b"\0" * 5000])
def test_what_is_not_a_database(data, content):
    """The error names the file."""
    data.path.mkdir()
    path = data.path / "gizwits-sandbox.sqlite"
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=path.name), open_database(data):
        pass
    with pytest.raises(PointctlError), open_database(data, "mysql://h/x"):
        pass

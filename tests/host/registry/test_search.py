"""Finding devices: filters, pages, tags, and how much of the registry that touches."""

import pytest
from sqlalchemy import inspect, text

from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.devices import batches, devices, products, search, tags
from pointctl.registry.devices.devices import ImportRow
from pointctl.registry.devices.search import DeviceFilters
from pointctl.registry.issuing import lifecycle
from pointctl.registry.storage.models import State
from tests.host.serving import ON_BOTH, PRODUCT, imei, issue, open_registry, url_of

OTHER = "pk-other"


@pytest.fixture
def fleet(database):
    """Two products, a batch, names and tags."""
    return filled(database)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(request, tmp_path_factory):
    """The same, for all tests that only look."""
    folder = DataFolder(tmp_path_factory.mktemp("kept") / "data")
    with open_registry(url_of(request) or folder.registry, folder) as opened:
        yield filled(opened)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def large(request, tmp_path_factory):
    """The same with thousands of devices more, which the planner knows of."""
    folder = DataFolder(tmp_path_factory.mktemp("large") / "data")
    with open_registry(url_of(request) or folder.registry, folder) as opened:
        rows = [ImportRow(n, imei(n), f"car-{n}") for n in range(1000, 9000)]
        devices.register(filled(opened), OTHER, rows)
        with opened.exclusive() as session:
            # Not all at once: tables that imports dropped just now would be missed.
            for table in inspect(session.connection()).get_table_names():
                session.execute(text(f"ANALYZE {table}"))
        yield opened


def filled(database):
    products.add(database, "O", product_key=OTHER, mqtt_host="h")
    batches.add(database, OTHER, "A", "op")
    rows = [ImportRow(n, imei(n), f"car-{n:03}", ("odd",) * (n % 2)) for n in range(40)]
    devices.register(database, OTHER, rows, batch="A", tags=["new"])
    devices.register(database, OTHER, [ImportRow(1, imei(90), "Car-x")])
    for serial in (3, 5):
        issue(database, serial)
    lifecycle.lock(database, imei(4), PRODUCT, "op")
    return database


def found(registry, limit=1000, **filters):
    page = search.search(registry, DeviceFilters(**filters), limit=limit)
    return [row["device_name"] for row in page.rows]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 51),
        ({"product_key": PRODUCT}, 10),
        ({"state": State.LOCKED}, 1),
        ({"state": State.ISSUED, "product_key": PRODUCT}, 2),
        ({"state": State.ISSUED, "product_key": OTHER}, 0),
        ({"batch": "A"}, 40),
        ({"tag": "odd"}, 20),
        ({"tag": "new", "batch": "A", "state": State.REGISTERED}, 40),
        ({"tag": "old"}, 0),
        ({"text": "car-"}, 40),
        ({"text": "Car-"}, 1),
        ({"text": "car-01"}, 10),
        ({"text": "car-01", "tag": "odd"}, 5),
        ({"text": imei(7)}, 2),
        ({"text": imei(7), "product_key": PRODUCT}, 1),
        ({"text": imei(7)[:-1] + "x"}, 0),
        ({"text": "866"}, 51),
        ({"text": "867"}, 0),
        ({"text": "%"}, 0),
        ({"text": "_ar"}, 0),
        ({"text": "ü"}, 0),
        ({"text": "' OR 1=1 --"}, 0),
        ({"product_key": "pk-none"}, 0),
    ],
    ids=str,
)
def test_filters(kept, filters, count):
    """Each narrows what the others leave."""
    assert len(found(kept, **filters)) == count


@pytest.mark.parametrize("wrong", ["\0", "a\nb", "\ud800", "\u2028"])
def test_what_cannot_be_looked_for(wrong):
    """Databases choke on some of it."""
    for name in ("text", "product_key", "batch", "tag"):
        with pytest.raises(PointctlError, match="not printable"):
            DeviceFilters(**{name: wrong})


@pytest.mark.parametrize(
    "filters",
    [{}, {"text": "car-"}, {"text": "8661"}, {"tag": "odd"}, {"product_key": OTHER}],
    ids=str,
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_are_the_whole(kept, filters, newest_first):
    """Each device is on one of them, in one order, whatever the size."""
    wanted = DeviceFilters(**filters)
    options = {"newest_first": newest_first}
    whole = search.search(kept, wanted, limit=1000, **options)
    assert whole.next is None
    for limit in (1, 7, len(whole.rows)):
        rows, after = [], None
        while True:
            page = search.search(kept, wanted, limit=limit, after=after, **options)
            rows += page.rows
            after = page.next
            if after is None:
                break
            assert len(page.rows) == limit
        assert rows == whole.rows


def test_orders(kept):
    """Of registration, and of the text that was looked for."""
    assert found(kept, product_key=PRODUCT) == [imei(n) for n in range(10)]
    assert found(kept, text="car-")[:2] == ["car-000", "car-001"]
    newest = search.search(kept, DeviceFilters(), limit=2, newest_first=True)
    assert [row["device_name"] for row in newest.rows] == ["Car-x", "car-039"]


@pytest.mark.parametrize("after", ["x", "", "1/2", "a/1/2", "-1", "1 OR 1", "9" * 30])
def test_what_is_no_page(kept, after):
    """It came from a link that somebody may have changed."""
    with pytest.raises(PointctlError, match="no such page"):
        search.search(kept, DeviceFilters(), limit=2, after=after)


@ON_BOTH
def test_tags(fleet):
    """Put on and taken off; twice is once; the audit says what."""
    change = fleet, imei(1), OTHER, "ann"
    assert tags.change(*change, add=["b", "a", "a"], remove=["new"]) == [
        "a",
        "b",
        "odd",
    ]
    assert tags.change(*change, add=["a"], remove=["none"]) == ["a", "b", "odd"]
    assert tags.change(*change, remove=["b", "odd"], add=["b"]) == ["a", "b"]
    entries = search.read_history(fleet, imei(1), OTHER)
    assert [(entry["what"], entry["note"]) for entry in entries] == [
        ("tagged", "+a +b -new"),
        ("tagged", "-odd"),
    ]
    counts = {row["tag"]: row["devices"] for row in tags.count_tags(fleet)}
    assert counts == {"a": 1, "b": 1, "new": 39, "odd": 19}
    assert search.show(fleet, imei(1), OTHER)["tags"] == ["a", "b"]
    for wrong in ("", "a b", "x" * 33, "..", "ü", "a,b"):
        with pytest.raises(PointctlError, match="the tag"):
            tags.change(*change, add=[wrong])


@ON_BOTH
def test_show(fleet):
    """All there is to know, and no secret."""
    secret = issue(fleet, 3)["device"]["deviceSecret"]
    assert secret is not None
    shown = search.show(fleet, imei(3), PRODUCT)
    assert secret not in str(shown)
    assert shown["state"] == "issued"
    assert shown["created_by"] == "pointctl"
    assert [each["standing"] for each in shown["credentials"]] == ["current"]
    assert [each["what"] for each in shown["history"]] == ["issued"]
    assert shown["etag"] != search.show(fleet, imei(4), PRODUCT)["etag"]
    with pytest.raises(devices.UnknownDevice, match="several products"):
        search.show(fleet, imei(3))
    before = shown["etag"]
    tags.change(fleet, imei(3), PRODUCT, "op", add=["x"])
    assert search.show(fleet, imei(3), PRODUCT)["etag"] != before


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"text": "car-7"},
        {"text": "86612345007"},
        {"state": State.QUARANTINED},
        {"product_key": OTHER},
        {"batch": "A"},
        {"tag": "odd"},
    ],
    ids=str,
)
def test_a_page_is_a_walk_along_an_index(large, filters):
    """What costs as much as the registry is large would be seen in the plan."""
    with large.snapshot() as session:
        query = search.select_devices(session, DeviceFilters(**filters)).limit(51)
        query = query.order_by(*search._Order(DeviceFilters(**filters), False).by())
        compiled = query.compile(
            session.get_bind(), compile_kwargs={"literal_binds": True}
        )
        on_sqlite = session.get_bind().dialect.name == "sqlite"
        explain = "EXPLAIN QUERY PLAN " if on_sqlite else "EXPLAIN "
        plan = str(session.execute(text(f"{explain}{compiled}")).all())
    for whole in ("USE TEMP B-TREE", "SCAN devices USING", "Seq Scan on devices"):
        assert whole not in plan, plan
    assert not filters or "SCAN devices'" not in plan, plan

"""Registering many devices: atomic, the same again, tried first, in little memory."""

import resource
import subprocess
import sys
import textwrap
import threading

import pytest
from sqlalchemy import func, select, text

from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.devices import batches, devices, products, search
from pointctl.registry.devices.devices import BadRow, ImportRow
from pointctl.registry.devices.products import UnknownBatch
from pointctl.registry.storage.models import Device
from tests.host.serving import ON_BOTH, PRODUCT, answer, imei
from tests.patience import PATIENCE_S


def count(database):
    with database.snapshot() as session:
        return session.scalar(select(func.count(Device.id)))


@ON_BOTH
def test_a_dry_run_registers_nothing(database):
    """And says what would be done, down to the bad rows."""
    rows: list[ImportRow | BadRow]
    rows = [ImportRow(2, imei(0), None), ImportRow(3, imei(100), None), BadRow(4, "no")]
    done = devices.register(database, PRODUCT, rows[:2], dry_run=True)
    assert (done.added, done.unchanged, done.bad) == (1, 1, [])
    done = devices.register(database, PRODUCT, rows, dry_run=True)
    assert (done.added, done.unchanged, done.bad) == (0, 1, [BadRow(4, "no")])
    done = devices.register(database, PRODUCT, rows, dry_run=True, skip_bad=True)
    assert (done.added, done.bad_count) == (1, 1)
    assert count(database) == 10
    assert (
        audit.list_entries(database, what="devices registered", limit=9)[0]["note"]
        == "10"
    )


@ON_BOTH
def test_batch_and_tags(database):
    """Those of the row and those for all; devices that are there stay as they are."""
    batches.add(database, PRODUCT, "A", "op")
    rows = [
        ImportRow(2, imei(0), None, ("old",)),
        ImportRow(3, imei(100), "car", ("a", "b")),
        ImportRow(4, imei(101), None, ("new",)),
    ]
    done = devices.register(
        database, PRODUCT, rows, batch="A", tags=["new", "b"], who="ann"
    )
    assert (done.added, done.unchanged) == (2, 1)
    shown = [search.show(database, imei(n), PRODUCT) for n in (0, 100, 101)]
    assert [each["tags"] for each in shown] == [[], ["a", "b", "new"], ["b", "new"]]
    assert [each["batch"] for each in shown] == [None, "A", "A"]
    assert [each["created_by"] for each in shown] == ["pointctl", "ann", "ann"]
    (entry, *_) = audit.list_entries(database, limit=1)
    assert (entry["who"], entry["what"]) == ("ann", "devices registered")
    assert (entry["subject"], entry["note"]) == (f"product {PRODUCT}", "2, batch A")
    with pytest.raises(UnknownBatch):
        devices.register(database, PRODUCT, rows, batch="B")
    with pytest.raises(PointctlError, match="the tag"):
        devices.register(database, PRODUCT, rows, tags=["a b"])


@ON_BOTH
def test_the_bad_rows_are_counted_and_the_first_are_shown(database):
    """A file that is all wrong takes no memory either."""
    rows = [BadRow(n, "why") for n in range(5000)]
    done = devices.register(database, PRODUCT, rows)
    assert (done.added, done.bad_count, len(done.bad)) == (0, 5000, 1000)
    assert done.bad[-1] == BadRow(999, "why")


@ON_BOTH
def test_a_row_that_raises_registers_nothing(database):
    """As a file that ends in something else than CSV."""

    def rows():
        for number in range(6000):
            yield ImportRow(number, imei(number + 100), None)
        raise PointctlError("the file is not UTF-8")

    with pytest.raises(PointctlError, match="UTF-8"):
        devices.register(database, PRODUCT, rows())
    assert count(database) == 10


@ON_BOTH
def test_who_was_faster_is_not_overwritten(database, monkeypatch):
    """An import that finds a name taken at the last moment does nothing at all."""
    importing = database.importing

    def late(connection):
        with database.exclusive() as session:
            session.execute(
                text("UPDATE devices SET device_name = 'taken' WHERE imei = :imei"),
                {"imei": imei(0)},
            )
        return importing(connection)

    monkeypatch.setattr(database, "importing", late)
    rows = [ImportRow(1, imei(100), None), ImportRow(2, imei(101), "taken")]
    with pytest.raises(Refused, match="do it again"):
        devices.register(database, PRODUCT, rows)
    monkeypatch.undo()
    assert count(database) == 10
    done = devices.register(database, PRODUCT, rows)
    assert done.bad == [BadRow(2, f"the device name is taken by IMEI {imei(0)}")]


@ON_BOTH
def test_boards_are_served_while_a_file_is_read(database):
    """Only the last step of an import writes."""
    asked = threading.Event()
    served = []

    def board():
        served.append(answer(database, {"imei": imei(1), "productKey": PRODUCT}).code)
        asked.set()

    def rows():
        for number in range(12_000):
            if number == 6000:
                threading.Thread(target=board).start()
                assert asked.wait(PATIENCE_S)
            yield ImportRow(number, imei(number + 100), None)

    assert devices.register(database, PRODUCT, rows()).added == 12_000
    assert served == ["00000"]


@ON_BOTH
def test_twenty_thousand(database):
    """In some chunks, and again, and shuffled."""
    rows = [ImportRow(n, imei(n), f"d{n}", ("t",)) for n in range(100, 20_100)]
    assert devices.register(database, PRODUCT, rows, tags=["all"]).added == 20_000
    again = devices.register(database, PRODUCT, rows[::-1], tags=["all"])
    assert (again.added, again.unchanged, again.bad_count) == (0, 20_000, 0)
    assert search.show(database, imei(20_099))["tags"] == ["all", "t"]
    assert count(database) == 20_010


def test_memory_does_not_grow_with_the_file(data):
    """Sixty thousand rows more cost next to nothing."""
    program = f"""
        import resource, sys
        sys.path[:0] = {sys.path!r}
        from pathlib import Path
        from tests.host.serving import imei
        from pointctl.registry.devices import devices, products
        from pointctl.registry.storage.database import open_database
        with open_database(Path({str(data.registry)!r})) as database:
            products.add(database, "T", product_key="pk", mqtt_host="h")
            for start, stop in (0, 20_000), (20_000, 100_000):
                row = devices.ImportRow
                rows = (row(n, imei(n), f"d{{n}}") for n in range(start, stop))
                done = devices.register(database, "pk", rows)
                assert done.added == stop - start
                print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = map(int, done.stdout.split())
    assert second - first < 20 * 1024, "KB more"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_the_command(pointctl, database, tmp_path):
    """A dry run, then the same for good, into a batch."""
    path = tmp_path / "boards.csv"
    path.write_text(f"IMEI;x\n{imei(50)};1\n")
    import_ = ["devices", "import", path, "--product", PRODUCT, "--batch", "A"]
    assert pointctl("batches", "add", "A", "--product", PRODUCT).code == 0
    assert "line 1" in pointctl(*import_).err
    path.write_text(f"tags,imei\nred big,{imei(50)}\n,{imei(51)}\n")
    tried = pointctl(*import_, "--tag", "new", "--dry-run")
    assert (tried.code, tried.out) == (0, "would have added 2, unchanged 0\n")
    done = pointctl(*import_, "--tag", "new", "--json")
    assert done.json["added"] == 2
    found = pointctl("devices", "list", "--tag", "red", "--batch", "A", "--json").json
    assert [(row["imei"], row["tags"]) for row in found] == [
        (imei(50), ["big", "new", "red"])
    ]
    again = pointctl("devices", "import", path, "--product", PRODUCT)
    assert again.out == "added 0, unchanged 2\n"
    out = tmp_path / "out.csv"
    assert pointctl("devices", "export", "--tag", "new", "--out", out).code == 0
    assert out.read_text().splitlines()[1] == (
        f"{imei(50)},{PRODUCT},{imei(50)},registered,A,big new red,"
    )
    assert products.list_products(database)

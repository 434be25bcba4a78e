"""Large imports on SQLite: in steps, boards between them, and all or nothing."""

import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from point import protocol
from pointctl.errors import Refused
from pointctl.registry import audit
from pointctl.registry.devices import (
    device_csv,
    devices,
    import_steps,
    products,
    search,
)
from pointctl.registry.devices.devices import ImportRow
from pointctl.registry.issuing import pool, pool_csv
from pointctl.registry.storage import maintenance
from pointctl.registry.storage.models import (
    Device,
    DeviceTag,
    Import,
    Policy,
    Pooled,
    Source,
)
from tests.host.serving import ON_BOTH, PRODUCT, answer, imei

POOL = "pk-pool"
ROWS = 1000  # in steps of a hundred


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """As large imports do it, with few rows."""
    monkeypatch.setattr(import_steps, "_STEP", 100)


def rows(first=100, count=ROWS):
    return [ImportRow(n, imei(first + n), f"d{n}", ("t",)) for n in range(count)]


def between_steps(monkeypatch, database, act, after=5):
    """Call act() between two steps of an import, as another process would."""
    importing = database.importing
    steps: list[None] = []

    def counted(connection):
        steps.append(None)
        if len(steps) == after:
            act()
        return importing(connection)

    monkeypatch.setattr(database, "importing", counted)
    return steps


def count(database, what):
    with database.snapshot() as session:
        return session.scalar(select(func.count()).select_from(what))


def ask(database, serial, product=PRODUCT):
    return answer(database, {"imei": imei(serial), "productKey": product}).code


def test_boards_are_served_between_its_steps(database, monkeypatch):
    """What is registered is given its credential, what is not yet all there is not."""
    seen = []

    def look():
        seen.append(ask(database, 0))  # writes
        seen.append(ask(database, 100))
        filters = search.DeviceFilters(product_key=PRODUCT)
        seen.append(len(search.search(database, filters, limit=500).rows))
        with pytest.raises(devices.UnknownDevice):
            search.show(database, imei(100), PRODUCT)

    steps = between_steps(monkeypatch, database, look)
    assert devices.register(database, PRODUCT, rows(), tags=["all"]).added == ROWS
    assert len(steps) == ROWS // 100 + 1
    assert seen == [protocol.SUCCESS, protocol.UNKNOWN_IMEI, 10]
    assert ask(database, 100) == protocol.SUCCESS
    assert search.show(database, imei(1099), PRODUCT)["tags"] == ["all", "t"]
    (entry, *_) = audit.list_entries(database, limit=1, what="devices registered")
    assert entry["note"] == str(ROWS)
    again = devices.register(database, PRODUCT, rows())
    assert (again.added, again.unchanged) == (0, ROWS)
    assert maintenance.find_faults(database) == []


def test_a_step_is_as_much_work_however_many_devices_there_are(database, monkeypatch):
    """Counted in what SQLite's machine does, for tags of the row and of all."""
    importing = database.importing
    work: list[int] = []

    def one_more():
        work[-1] += 1

    @contextmanager
    def counted(connection):
        work.append(0)
        driver = connection.connection.dbapi_connection
        with importing(connection):
            driver.set_progress_handler(one_more, 100)  # instructions
            yield
            driver.set_progress_handler(None, 0)

    monkeypatch.setattr(database, "importing", counted)
    devices.register(database, PRODUCT, rows(count=3000), tags=["all"])
    early, late = sum(work[2:7]), sum(work[-6:-1])  # the last one adds none
    assert 0 < late < 1.3 * early


def test_what_clashes_in_the_middle_undoes_all_of_it(database, monkeypatch):
    """Somebody registers one of its boards; then the same file is taken."""

    def clash():
        devices.register(database, PRODUCT, [ImportRow(1, imei(1099), "mine")])

    between_steps(monkeypatch, database, clash)
    with pytest.raises(Refused, match="do it again"):
        devices.register(database, PRODUCT, rows(), tags=["all"])
    monkeypatch.undo()
    assert (count(database, Device), count(database, DeviceTag)) == (11, 0)
    assert count(database, Import) == 0
    done = devices.register(database, PRODUCT, rows()[:-1])
    assert done.added == ROWS - 1
    assert maintenance.find_faults(database) == []


def test_two_at_a_time_with_the_same_rows(database, monkeypatch):
    """The second finds nothing of the first, clashes, and leaves that alone."""

    def second():
        with pytest.raises(Refused, match="do it again"):
            devices.register(database, PRODUCT, rows())

    between_steps(monkeypatch, database, second)
    assert devices.register(database, PRODUCT, rows()).added == ROWS
    assert count(database, Device) == 10 + ROWS


def test_who_was_taken_for_dead_gives_up(database, monkeypatch):
    """As a process that was stopped for long: another has removed its rows."""
    monkeypatch.setattr(import_steps, "_INTERRUPTED_AFTER", timedelta())
    between_steps(
        monkeypatch, database, lambda: import_steps.undo_interrupted(database)
    )
    with pytest.raises(Refused, match="paused for too long"):
        devices.register(database, PRODUCT, rows())
    assert (count(database, Device), count(database, Import)) == (10, 0)


def test_kill_9_leaves_nothing(database, data, pointctl, monkeypatch):
    """The next command removes what is there of it, and the file can be taken again."""
    program = f"""
        import sys, time
        sys.path[:0] = {sys.path!r}
        from pathlib import Path
        from tests.host.serving import imei
        from pointctl.registry.devices import devices, import_steps
        from pointctl.registry.storage.database import open_database
        import_steps._STEP = 100
        with open_database(Path({str(data.registry)!r})) as database:
            importing, steps = database.importing, []
            def told(connection):
                steps.append(None)
                if len(steps) == 5:
                    print("now", flush=True)
                    time.sleep(60)
                return importing(connection)
            database.importing = told
            row = devices.ImportRow
            rows = [row(n, imei(100 + n), f"d{{n}}") for n in range({ROWS})]
            devices.register(database, {PRODUCT!r}, rows)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.kill()
    assert count(database, Device) == 10 + 400
    listed = pointctl("devices", "list", "--json").json
    assert len(listed) == 10, "not there, though not yet removed"
    assert count(database, Device) == 10 + 400
    with pytest.raises(Refused, match="in a minute"):
        devices.register(database, PRODUCT, rows())
    monkeypatch.setattr(import_steps, "_INTERRUPTED_AFTER", timedelta())
    time.sleep(0.01)
    assert pointctl("devices", "list", "--json").code == 0
    assert (count(database, Device), count(database, Import)) == (10, 0)
    assert devices.register(database, PRODUCT, rows()).added == ROWS
    assert maintenance.find_faults(database) == []


def test_a_pool_is_filled_in_steps_too(database, monkeypatch):
    """Its credentials are handed out when all of them are there, and never half."""
    products.add(
        database,
        POOL,
        policy=Policy.OPEN,
        product_key=POOL,
        mqtt_host="h",
        source=Source.POOL,
    )
    devices.register(database, POOL, [ImportRow(0, imei(0), None)])
    entries = [
        pool_csv.check_entry(n, f"p{n}", f"secret-{n}", None) for n in range(ROWS)
    ]
    seen = []
    between_steps(monkeypatch, database, lambda: seen.append(ask(database, 0, POOL)))
    assert pool.fill(database, POOL, entries, "ann").added == ROWS
    assert seen == [protocol.POOL_EMPTY]
    assert ask(database, 0, POOL) == protocol.SUCCESS
    monkeypatch.undo()
    monkeypatch.setattr(import_steps, "_STEP", 100)
    more = [pool_csv.check_entry(n, f"q{n}", f"secret-{n}", None) for n in range(ROWS)]

    def clash():
        pool.fill(database, POOL, more[-1:], "ann")

    between_steps(monkeypatch, database, clash)
    with pytest.raises(Refused, match="do it again"):
        pool.fill(database, POOL, more, "ann")
    assert count(database, Pooled) == ROWS + 1
    assert maintenance.find_faults(database) == []


@ON_BOTH
def test_the_same_on_both(database, tmp_path):
    """PostgreSQL needs no steps; what comes of it is the same."""
    assert devices.register(database, PRODUCT, rows()).added == ROWS
    assert ask(database, 100) == protocol.SUCCESS
    with (tmp_path / "out.csv").open("w", newline="") as file:
        assert device_csv.write(database, file, search.DeviceFilters()) == ROWS + 10
    assert count(database, Import) == database.imports_in_steps

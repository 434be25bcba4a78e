"""Pools: imported credentials, each for one device; an alarm before they run out."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from point import protocol
from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.devices import batches, devices, overview, products, search
from pointctl.registry.devices.staging import BadRow
from pointctl.registry.issuing import lifecycle, pool
from pointctl.registry.issuing.pool import PoolEntry
from pointctl.registry.storage.models import Policy, Pooled, Product, Source
from tests.host.serving import (
    ON_BOTH,
    answer,
    device_key_board,
    imei,
    log_in,
    secrets_of,
)

pytestmark = ON_BOTH

POOLED = "a1B2c3D4e5F"


@pytest.fixture
def registry(database):
    """A product with a pool of five, and the devices imei(0) … imei(29)."""
    products.add(
        database,
        "P",
        product_key=POOLED,
        mqtt_host="h.test",
        source=Source.POOL,
    )
    rows = [devices.ImportRow(serial, imei(serial), None) for serial in range(30)]
    devices.register(database, POOLED, rows)
    fill(database, range(5))
    return database


def fill(registry, numbers, **options):
    entries = [PoolEntry(n, f"name{n}", f"secret{n}") for n in numbers]
    return pool.fill(registry, POOLED, entries, "ann", **options)


def claim(registry, serial, number=1, accounts=None):
    board = device_key_board(serial, POOLED)
    return answer(registry, board.claim(number), accounts)


def device(given):
    assert given.code == protocol.SUCCESS
    return given.config["device"]


def left(registry):
    (found,) = overview.count_pools(registry)
    return found["left"]


def alarm(registry):
    with registry.snapshot() as session:
        found = session.get_one(Product, POOLED).pool_alarm
    return found and found.value


def test_each_is_handed_out_once(registry):
    """In the order of the import, name and secret; the same again to the same."""
    for number in range(3):
        for _ in range(2):
            told = device(claim(registry, number + 10))
            assert (told["deviceName"], told["deviceSecret"]) == (
                f"name{number}",
                f"secret{number}",
            )
    assert left(registry) == 2
    shown = search.show(registry, imei(10), POOLED)
    assert shown["device_name"] == "name0"
    assert shown["credentials"][0]["source"] == "pool"
    assert log_in(registry, f"name0&{POOLED}", "secret0")
    assert not log_in(registry, f"{imei(10)}&{POOLED}", "secret0")


def test_many_at_once_get_different_ones(registry):
    """And the last ones none."""
    with ThreadPoolExecutor(20) as several:
        given = list(several.map(lambda n: claim(registry, n), range(20)))
    names = [device(each)["deviceName"] for each in given if each.config]
    assert sorted(names) == [f"name{n}" for n in range(5)]
    assert [each.code for each in given].count(protocol.POOL_EMPTY) == 15
    assert left(registry) == 0


def test_an_empty_pool_says_so_and_changes_nothing(registry, log):
    """50301 and when to come back; once it is filled the same claim is served."""
    for serial in range(5):
        claim(registry, serial)
    for _ in range(3):
        given = claim(registry, 9)
        assert (given.code, given.config) == (protocol.POOL_EMPTY, None)
        assert given.retry_after_s >= 60
    shown = search.show(registry, imei(9), POOLED)
    assert (shown["state"], shown["history"]) == ("registered", [])
    assert alarm(registry) == "empty"
    assert log.getvalue().count('"event": "pool empty"') == 1
    fill(registry, range(5, 7))
    assert alarm(registry) is None
    assert device(claim(registry, 9))["deviceName"] == "name5"


def test_the_alarm_is_raised_in_time_and_once(registry, log):
    """In the audit and the log; filling the pool takes it back."""
    products.change(registry, POOLED, "op", pool_warn_below=4)
    claim(registry, 0)
    assert alarm(registry) is None
    for serial in range(1, 4):
        claim(registry, serial)
        assert alarm(registry) == "low"
    assert log.getvalue().count('"event": "pool low"') == 1
    what = [each["what"] for each in audit.list_entries(registry, limit=20)]
    assert what.count("pool low") == 1
    fill(registry, range(5, 10))
    assert alarm(registry) is None
    claim(registry, 5)
    claim(registry, 6)
    claim(registry, 7)
    assert alarm(registry) == "low"
    products.change(registry, POOLED, "op", pool_warn_below=0)
    fill(registry, range(20, 21))
    claim(registry, 8)
    assert alarm(registry) is None


def test_a_device_gets_the_one_of_its_name(registry):
    """So a factory can say which board is which; nobody else gets it."""
    devices.register(registry, POOLED, [devices.ImportRow(1, imei(50), "name0")])
    assert device(claim(registry, 10))["deviceName"] == "name1"
    assert device(claim(registry, 50))["deviceName"] == "name0"
    assert device(claim(registry, 11))["deviceName"] == "name2"


def test_a_product_secret_of_its_own(registry):
    """Stands in for the product's."""
    entry = PoolEntry(1, "special", "s3cret", "pr0duct")
    pool.fill(registry, POOLED, [entry], "ann")
    devices.register(registry, POOLED, [devices.ImportRow(1, imei(50), "special")])
    told = device(claim(registry, 50))
    assert (told["deviceSecret"], told["productSecret"]) == ("s3cret", "pr0duct")
    assert device(claim(registry, 50, 2)) == told
    assert device(claim(registry, 10))["productSecret"] != "pr0duct"


def test_after_a_revocation_it_gets_another_one(registry):
    """What was handed out never goes to anybody again."""
    claim(registry, 0)
    lifecycle.revoke(registry, imei(0), POOLED, "op")
    lifecycle.restore(registry, imei(0), POOLED, "op")
    assert device(claim(registry, 0, 2))["deviceName"] == "name1"
    assert device(claim(registry, 1))["deviceName"] == "name2"
    assert not log_in(registry, f"name0&{POOLED}", "secret0")


def test_it_is_not_rotated(registry):
    """Its name goes with its secret."""
    claim(registry, 0)
    with pytest.raises(Refused, match="imported"):
        lifecycle.rotate(registry, imei(0), POOLED, "op")
    assert left(registry) == 4


def test_version_1_is_served_from_a_pool(registry):
    """Of an open product."""
    products.change(registry, POOLED, "op", policy=Policy.OPEN)
    asked = [{"imei": imei(n), "productKey": POOLED} for n in range(6)]
    given = [answer(registry, message) for message in asked]
    names = [device(each)["deviceName"] for each in given[:5]]
    assert names == [f"name{n}" for n in range(5)]
    assert given[5].code == protocol.POOL_EMPTY
    assert device(answer(registry, asked[0]))["deviceName"] == "name0"


def test_the_broker_is_told_the_name_that_was_given(registry):
    """Not the one before."""

    class Accounts:
        told: tuple[str, ...] = ()

        def allow(self, *names):
            self.told = names

    accounts = Accounts()
    claim(registry, 0, accounts=accounts)
    assert accounts.told[:3] == (POOLED, "name0", "secret0")


def test_a_batch_that_is_full_takes_nothing_from_the_pool(registry):
    """And an empty pool takes no place in a batch."""
    batches.add(registry, POOLED, "A", "op", quota=1)
    for serial in (0, 1):
        batches.move(registry, imei(serial), POOLED, "A", "op")
    claim(registry, 0)
    assert claim(registry, 1).code == protocol.WAITING
    assert left(registry) == 4
    for serial in range(2, 6):
        claim(registry, serial)
    batches.change(registry, POOLED, "A", "op", quota=2)
    assert claim(registry, 1).code == protocol.POOL_EMPTY
    (found,) = batches.list_batches(registry, POOLED)
    assert found["enrolled"] == 1


def test_filling_twice_changes_nothing(registry):
    """Also what was handed out stays handed out."""
    claim(registry, 0)
    again = fill(registry, range(6))
    assert (again.added, again.unchanged, again.bad) == (1, 5, [])
    assert left(registry) == 5
    assert device(claim(registry, 1))["deviceName"] == "name1"


def test_a_dry_run_adds_nothing(registry):
    """And says what would have been."""
    done = fill(registry, range(8), dry_run=True)
    assert (done.added, done.unchanged) == (3, 5)
    assert left(registry) == 5


def test_if_one_is_bad_none_is_added(registry):
    """Each with its line."""
    entries: list[PoolEntry | BadRow] = [
        PoolEntry(2, "new1", "s"),
        BadRow(3, "no"),
        PoolEntry(4, "new2", "s"),
        PoolEntry(5, "new1", "s"),
    ]
    done = pool.fill(registry, POOLED, entries, "ann")
    assert (done.added, done.bad_count) == (0, 2)
    assert done.bad == [BadRow(3, "no"), BadRow(5, "the same device name as in line 2")]
    assert left(registry) == 5


def test_only_products_with_a_pool_have_one(registry):
    """Nor can there be one of no product."""
    with pytest.raises(Refused, match="--source pool"):
        pool.fill(registry, "pk-test", [PoolEntry(1, "a", "b")], "ann")
    with pytest.raises(PointctlError, match="no product"):
        pool.fill(registry, "pk-none", [PoolEntry(1, "a", "b")], "ann")


def test_what_was_taken_is_in_the_pool_no_more(registry):
    """Its secret is with the device; the pool knows who took it."""
    claim(registry, 0)
    with registry.snapshot() as session:
        row = session.scalars(select(Pooled).order_by(Pooled.id)).first()
        assert session.scalar(select(func.count(Pooled.id))) == 5
    assert (row.device_name, row.encrypted_secret) == ("name0", None)
    assert row.device_id
    assert row.taken_at
    assert secrets_of(registry, imei(0), POOLED) == ["secret0"]

"""Batches, pages and bad days: the client and the sandbox against each other."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from pointctl.clouds.gizwits.preauth import errors, results
from pointctl.clouds.gizwits.preauth.sandbox import batches
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.clouds.gizwits.preauth.sandbox.models import SandboxBatch, SandboxBatchRow
from pointctl.clouds.kit.sandbox_secret import SandboxSecret, hash_token
from tests.host.preauth import Sandbox, client_of, customer, filled_database, xlsx
from tests.host.serving import PRODUCT, imei
from tests.patience import PATIENCE_S

BATCH = "0" * 31 + "1"


@pytest.fixture
def start(data, authority):
    """Starts sandboxes on the data folder, or on a URL, and ends them."""
    started = []

    def start(*options, url=None):
        started.append(Sandbox(data.path, authority, *options, url=url))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            assert server.stop() == 0
        errors_logged = [line for line in server.lines if '"level": "error"' in line]
        assert errors_logged == []


def text(numbers):
    return "".join(f"{n:012x}\n" for n in numbers).encode()


def keys_of(rows):
    return {row.mac: row.auth_key for row in rows}


def test_ten_thousand(sandbox_database, start):
    """In the background, with progress; each has its key, and the quota is exact."""
    who, seen = customer(sandbox_database, 10_000), []
    with client_of(start(), who) as client:
        batch = client.batch(who.pin, who.auth_code, text(range(10_000)), "macs.txt")
        done = client.wait_for_batch(
            batch, lambda r: seen.append((r.status, r.success))
        )
        rows = client.keys(done)
        assert (done.status, done.success, done.failed) == (2, 10_000, 0)
        assert seen == sorted(seen)
        assert any(0 < success < 10_000 for _, success in seen)
        assert [row.mac for row in rows] == [f"{n:012x}" for n in range(10_000)]
        assert len(set(keys_of(rows).values())) == 10_000
        single = client.auth_key(who.pin, rows[4711].mac, who.auth_code)
        assert single.auth_key == rows[4711].auth_key
        assert who.size() == 10_000
        with pytest.raises(errors.PackageCapacityNotEnough):
            client.batch(who.pin, who.auth_code, text([10_001]), "macs.txt")


def test_killed_in_the_middle(sandbox_database, start):
    """What was done stays, the rest is done after the restart; nothing twice."""
    who, count = customer(sandbox_database, 100_000), 4000
    for attempt in range(1, 6):  # a machine may stand still while a batch runs
        server = start()
        with client_of(server, who) as client:
            macs = range((attempt - 1) * count, attempt * count)
            batch = client.batch(who.pin, who.auth_code, text(macs), "macs.txt")
            while not (half := client.batch_result(batch)).success:
                assert half.auth_result == ""
        server.stop(signal.SIGKILL)
        if who.size() < attempt * count:
            break
    assert half.status == 1
    assert half.success <= who.size() - (attempt - 1) * count < count
    with client_of(start(), who) as client:
        done = client.wait_for_batch(batch)
        assert (done.success, done.failed, who.size()) == (count, 0, attempt * count)
        assert len(client.keys(done)) == count


def test_two_processes_work_on_one_database(data, authority, start, postgres):
    """They agree on everything: batches, single keys, the quota."""
    url = postgres.new_database()  # empty: a sandbox makes its own tables
    with filled_database(data, url) as database:
        who, count = customer(database, 1500), 1500
        one, other = start(url=url), start(url=url)
        with client_of(one, who) as a, client_of(other, who) as b:
            batch = a.batch(who.pin, who.auth_code, text(range(count)), "macs.txt")
            same = b.batch(who.pin, who.auth_code, text(range(count)), "macs.txt")
            rows = b.keys(b.wait_for_batch(batch))
            assert keys_of(a.keys(a.wait_for_batch(same))) == keys_of(rows)
            mac = rows[0].mac
            keys = {c.auth_key(who.pin, mac, who.auth_code).auth_key for c in (a, b)}
            assert keys == {rows[0].auth_key}
        assert who.size() == count


def test_a_quota_is_exact_whoever_asks(sandbox_database, start):
    """Of twenty at once for seven keys, seven get one."""
    who, server = customer(sandbox_database, 7), start()

    def ask(number):
        with client_of(server, who) as client:
            try:
                client.auth_key(who.pin, f"{number:012x}", who.auth_code)
            except errors.PackageCapacityNotEnough:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(20))) == 7
    assert who.size() == 7


def test_some_fail(sandbox_database, start):
    """Those of another auth_code; the others get theirs, and each says why."""
    other, who, server = customer(sandbox_database), customer(sandbox_database), start()
    with client_of(server, other) as client:
        client.auth_key(other.pin, imei(3), other.auth_code)
    sheet = xlsx(("IMEI",), *((float(imei(n)),) for n in range(6)))
    with client_of(server, who) as client:
        done = client.wait_for_batch(
            client.batch(who.pin, who.auth_code, sheet, "imei.xlsx")
        )
        rows = client.keys(done)
    assert (done.success, done.failed) == (5, 1)
    assert [row.mac for row in rows] == [imei(n) for n in range(6)]
    (bad,) = [row for row in rows if row.auth_key is None]
    assert (bad.mac, bad.error_code, bad.error) == (imei(3), "6", "GAGENT_EXIST")


@pytest.mark.parametrize(
    ("change", "code"),
    [({"is_enabled": False}, "10"), ({"days": 0}, "13")],
    ids=["disabled", "expired"],
)
def test_a_package_that_ends_meanwhile(sandbox_database, start, change, code):
    """The rest of the batch fails, with the reason; the result can still be had."""
    who = customer(sandbox_database, 100)
    maker = KeyMaker(SandboxSecret(bytes(32)))
    server = start()
    with client_of(server, who) as client:
        server.process.send_signal(signal.SIGSTOP)
        try:
            with sandbox_database.exclusive() as session:
                _add_batch(session, who, 4)
            batches.work_on_oldest(sandbox_database, maker, most=2)
            who.change(**change)
            while batches.work_on_oldest(sandbox_database, maker, most=2):
                pass
        finally:
            server.process.send_signal(signal.SIGCONT)
        found = client.batch_result(BATCH)
    assert (found.status, found.success, found.failed) == (2, 2, 2)
    with batches.open_sheet(
        sandbox_database, maker, who.authorization, found.id
    ) as path:
        rows = results.parse(path.read_bytes())
    assert [row.error_code for row in rows] == ["", "", code, code]


def _add_batch(session, who, count):
    session.add(
        SandboxBatch(
            id=BATCH,
            pin=who.pin,
            auth_code_hash=hash_token(who.auth_code),
            product_key=PRODUCT,
            failed=0,
            success=0,
            created_at=datetime.now(UTC),
        )
    )
    session.flush()
    for n in range(count):
        mac = f"{n:012x}"
        session.add(SandboxBatchRow(batch_id=BATCH, number=n, mac=mac, bare=mac))


def test_pages(sandbox_database, start):
    """Every package once, in order; a page links to its neighbours."""
    who = customer(sandbox_database, 1)
    for capacity in range(2, 8):
        who.top_up(capacity)
    server = start()
    with client_of(server, who) as client:
        found = list(client.packages(who.pin, who.auth_code, page_size=3))
        assert [each.capacity for each in found] == list(range(1, 8))
        assert all(each.auth_code == who.auth_code for each in found)
        for number in range(3):
            client.auth_key(who.pin, f"{number:012x}", who.auth_code)
        sizes = [p.size for p in client.packages(who.pin, who.auth_code)]
        assert sizes == [1, 2, 0, 0, 0, 0, 0]  # the oldest first
    with server.client() as plain:
        query = {"pin": who.pin, "auth_code": who.auth_code, "skip": 3, "limit": 2}
        page = plain.get("/v2/package", params=query).json()
        assert page["meta"]["total"] == 7
        following = plain.get(page["meta"]["next"]).json()
        assert [p["capacity"] for p in page["objects"]] == [4, 5]
        assert [p["capacity"] for p in following["objects"]] == [6, 7]
        assert following["meta"]["next"] is None
        before = plain.get(page["meta"]["previous"]).json()
        assert [p["capacity"] for p in before["objects"]] == [2, 3]
        # The document names no Authorization here, but a wrong one is none.
        wrong = plain.get("/v2/package", params=query, headers={"Authorization": "x"})
        assert (wrong.status_code, wrong.json()["error_code"]) == (403, 2)


def test_a_bad_day(sandbox_database, start):
    """Busy, late and cut off: every key arrives, and none is counted twice."""
    who, count = customer(sandbox_database, 60), 15
    server = start("--chaos", "10", "--chaos-seed", "3", "--chaos-delay", "0.02")
    with client_of(server, who, repeats_are_free=True) as client:
        keys = {
            client.auth_key(who.pin, f"{n:012x}", who.auth_code).auth_key
            for n in range(count)
        }
        batch = client.batch(who.pin, who.auth_code, text(range(60)), "macs.txt")
        rows = client.keys(client.wait_for_batch(batch))
    assert len(keys) == count
    assert keys <= set(keys_of(rows).values())
    assert who.size() == 60


def test_each_kind_of_bad_luck(sandbox_database, start):
    """Each is told apart: one that was done and was not heard of is the worst."""
    who = customer(sandbox_database, 1000)
    server = start("--chaos", "20", "--chaos-seed", "5", "--chaos-delay", "0")
    met: set[object] = set()
    number = 0
    until = time.monotonic() + PATIENCE_S
    with client_of(server, who) as client:
        while len(met) < 3 and time.monotonic() < until:
            number += 1
            before = who.size()
            try:
                client.auth_key(who.pin, f"{number:012x}", who.auth_code)
            except errors.Unavailable as error:
                met.add((error.status, error.retry_after_s))
            except errors.NoReply:
                met.add("lost" if who.size() > before else "reset")
    assert met == {(503, 1.0), "lost", "reset"}

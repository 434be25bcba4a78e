"""Gizwits' cloud as a source, with its sandbox: each unit costs one key."""

import threading

import pytest

from pointctl.errors import PointctlError
from pointctl.factory.domain.job import Job, Plan, SourceKind
from pointctl.factory.domain.journal import Journal
from pointctl.factory.domain.units import Reason, Step
from pointctl.factory.sources import batching
from pointctl.factory.sources.open_source import open_source
from pointctl.factory.sources.source import AnswerLost, KeyDenied, SourceDown
from pointctl.factory.station.line import TurnOutcome
from tests.host.factory_parts import MAC, MemoryBoard, line
from tests.host.preauth import Hostile, Sandbox, customer, ok, reply
from tests.host.serving import PRODUCT, imei


@pytest.fixture
def buyer(sandbox_database, monkeypatch):
    """A customer with ten keys, whose secrets are in the environment."""
    made = customer(sandbox_database)
    monkeypatch.setenv("POINTCTL_GIZWITS_AUTHORIZATION", made.authorization)
    monkeypatch.setenv("POINTCTL_GIZWITS_AUTH_CODE", made.auth_code)
    return made


@pytest.fixture
def sandbox(data, authority, buyer):
    """A real `pointctl sandbox serve`."""
    server = Sandbox(data.path, authority)
    yield server
    server.stop()


@pytest.fixture
def journal(tmp_path):
    """The journal of a new job."""
    with Journal(tmp_path / "job") as opened:
        opened.begin()
        yield opened


def plan(server, buyer, **more):
    """A plan on that sandbox."""
    given = {
        "product": PRODUCT,
        "source": SourceKind.GIZWITS,
        "made_at": "now",
        "url": server.url,
        "ca": str(server.ca_file),
        "pin": buyer.pin,
    }
    return Plan(**{**given, **more})


def opened(server, buyer, tmp_path, **more):
    """Open the source of that plan."""
    return open_source(Job(tmp_path / "job"), plan(server, buyer, **more))


def test_a_unit(sandbox, buyer, journal, tmp_path):
    """Its key is burned and stored; the package counts one, and so does the stock."""
    board = MemoryBoard(imei(1), product=PRODUCT)
    with opened(sandbox, buyer, tmp_path) as source:
        one = line(journal, source, board, product=PRODUCT)
        assert one.process("P0", None).outcome is TurnOutcome.PASSED
        assert one.process("P0", None).outcome is TurnOutcome.ALREADY
        assert [(each.used, each.left) for each in source.stocks()] == [(1, 9)]
    assert len(board.key or "") == 32
    assert board.key == journal.key(imei(1))
    assert plan(sandbox, buyer).key_file == "auth.key"


def test_eight_ports(sandbox, buyer, tmp_path):
    """Threads take turns; each unit has its own key."""
    keys = {}
    with opened(sandbox, buyer, tmp_path) as source:

        def ask(serial):
            keys[serial] = source.request_key(imei(serial)).text

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert len(set(keys.values())) == 8
    assert buyer.size() == 8


def test_the_stock_is_empty(sandbox, buyer, tmp_path):
    """The cloud's error is passed on; units with a key still get it."""
    with opened(sandbox, buyer, tmp_path) as source:
        for serial in range(10):
            source.request_key(imei(serial))
        with pytest.raises(KeyDenied, match="CAPACITY_NOT_ENOUGH"):
            source.request_key(imei(10))
        assert source.request_key(imei(1)).text


def test_a_list(sandbox, buyer, journal, tmp_path):
    """It is sent as one batch of the cloud; repeated, nothing is sent."""
    wanted = [imei(n) for n in range(4)] + [MAC]
    seen: list[object] = []
    chosen = plan(sandbox, buyer)
    with opened(sandbox, buyer, tmp_path) as source:
        done = batching.fetch(chosen, journal, source, wanted, seen.append)
        again = batching.fetch(chosen, journal, source, wanted, seen.append)
    assert (done.fetched, done.had, done.bad) == (5, 0, {})
    assert (again.fetched, again.had, again.bad) == (0, 5, {})
    assert (buyer.size(), seen[-1]) == (5, 5)
    assert len({journal.key(unit) for unit in wanted}) == 5
    steps = [event.step for event in journal.events()]
    assert steps.count(Step.SENT) == steps.count(Step.FETCHED) == 1


def test_a_list_that_was_sent_before_a_power_cut(sandbox, buyer, journal, tmp_path):
    """Its result is fetched by its number; the list is not sent again."""
    wanted = [imei(n) for n in range(3)]
    chosen = plan(sandbox, buyer)
    with opened(sandbox, buyer, tmp_path) as source:
        journal.append_all(Step.ASKING, wanted)
        journal.append(Step.SENT, note=source.send_list(wanted))
        done = batching.fetch(chosen, journal, source, wanted, lambda _n: None)
    assert (done.fetched, done.had, buyer.size()) == (3, 0, 3)
    assert [event.step for event in journal.events()].count(Step.SENT) == 1


def test_a_power_cut_while_a_list_is_sent(sandbox, buyer, journal, tmp_path):
    """It may have arrived, so it is not sent again; each unit has that reason."""
    wanted = [imei(n) for n in range(3)]
    journal.append_all(Step.ASKING, wanted)
    with opened(sandbox, buyer, tmp_path) as source:
        done = batching.fetch(
            plan(sandbox, buyer), journal, source, [*wanted, imei(9)], lambda _n: None
        )
    assert set(done.bad) == set(wanted)
    assert (done.fetched, buyer.size()) == (1, 1)


def test_where_repeats_are_free(sandbox, buyer, journal, tmp_path):
    """If repeats are free, it is sent again."""
    wanted = [imei(n) for n in range(3)]
    journal.append_all(Step.ASKING, wanted)
    chosen = plan(sandbox, buyer, repeats_are_free=True)
    with opened(sandbox, buyer, tmp_path, repeats_are_free=True) as source:
        done = batching.fetch(chosen, journal, source, wanted, lambda _n: None)
    assert (done.fetched, done.bad, buyer.size()) == (3, {}, 3)


@pytest.mark.parametrize(
    ("answer", "kind", "free"),
    [
        (reply(503), AnswerLost, False),
        (reply(503), SourceDown, True),
        (lambda peer: peer.close(), AnswerLost, False),
        (lambda peer: peer.close(), SourceDown, True),
        (reply(403, b'{"error_code": 2}'), KeyDenied, False),
        (ok(b"<html>"), AnswerLost, False),
    ],
    ids=["busy", "busy, free", "cut", "cut, free", "refused", "a page"],
)
def test_what_a_cloud_may_say(
    authority, buyer, tmp_path, monkeypatch, answer, kind, free
):
    """Errors that may have cost a key differ from those that cannot have."""
    monkeypatch.setattr("pointctl.factory.sources.gizwits._WITHIN_S", 1.0)
    with (
        Hostile(authority, [answer]).running() as cloud,
        opened(cloud, buyer, tmp_path, repeats_are_free=free) as source,
        pytest.raises(PointctlError) as error,
    ):
        source.request_key(imei(1))
    assert type(error.value) is kind
    assert buyer.auth_code not in str(error.value)


def test_a_cloud_that_is_not_there(buyer, journal, tmp_path, authority, monkeypatch):
    """Nothing was spent, so the station asks again by itself."""
    monkeypatch.setattr("pointctl.factory.sources.gizwits._WITHIN_S", 2.0)
    hostile = Hostile(authority, [])
    with hostile.running():
        pass  # its port is free now
    board = MemoryBoard(imei(1), product=PRODUCT)
    with opened(hostile, buyer, tmp_path) as source:
        one = line(journal, source, board, product=PRODUCT)
        reasons = [one.process("P0", None).reason for _ in range(2)]
    assert reasons == [Reason.SOURCE_DOWN, Reason.SOURCE_DOWN]

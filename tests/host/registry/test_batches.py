"""Batches: how many devices may enrol, until when; boards that nobody registered."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from point import protocol
from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.devices import batches, devices, products, search
from pointctl.registry.devices.products import UnknownBatch
from pointctl.registry.issuing import lifecycle
from pointctl.registry.storage.models import Device, Policy
from tests.host.serving import (
    KEYED,
    ON_BOTH,
    Board,
    answer,
    device_key_board,
    imei,
    issue,
    product_secret,
)

pytestmark = ON_BOTH

PAST = datetime(2026, 1, 1, tzinfo=UTC)
FUTURE = datetime.now(UTC) + timedelta(days=9)


@pytest.fixture
def registry(database):
    """One product of device keys, with the batch A of twenty devices."""
    products.add(database, "K", product_key=KEYED, mqtt_host="h.test")
    batches.add(database, KEYED, "A", "op")
    rows = [devices.ImportRow(serial, imei(serial), None) for serial in range(20)]
    devices.register(database, KEYED, rows, batch="A")
    return database


def code_of(registry, serial, number=1):
    message = device_key_board(serial, KEYED).claim(number)
    return answer(registry, message).code


def batch(registry, name="A"):
    (found,) = [
        each for each in batches.list_batches(registry, KEYED) if each["name"] == name
    ]
    return found


def test_beyond_the_quota_nobody_enrols(registry):
    """Those that have are served as ever; the others as soon as there is room."""
    batches.change(registry, KEYED, "A", "op", quota=2)
    assert [code_of(registry, n) for n in range(3)] == ["00000", "00000", "40303"]
    assert code_of(registry, 0, 2) == protocol.SUCCESS
    found = batch(registry)
    assert (found["enrolled"], found["devices"], found["open"]) == (2, 20, False)
    for _ in range(3):
        assert code_of(registry, 2) == protocol.WAITING
    told = [each["what"] for each in search.read_history(registry, imei(2), KEYED)]
    assert told == ["batch closed"]
    batches.change(registry, KEYED, "A", "op", quota=3)
    assert code_of(registry, 2) == protocol.SUCCESS
    batches.change(registry, KEYED, "A", "op", quota=None)
    assert {code_of(registry, n) for n in range(3, 20)} == {protocol.SUCCESS}
    assert batch(registry)["enrolled"] == 20


def test_the_quota_is_exact(registry):
    """However many come at once."""
    batches.change(registry, KEYED, "A", "op", quota=7)
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda n: code_of(registry, n), range(20)))
    assert codes.count(protocol.SUCCESS) == batch(registry)["enrolled"] == 7
    assert codes.count(protocol.WAITING) == 13


def test_a_batch_ends(registry):
    """At its moment; who has enrolled by then stays."""
    code_of(registry, 0)
    batches.change(registry, KEYED, "A", "op", expires_at=PAST)
    assert code_of(registry, 1) == protocol.WAITING
    assert code_of(registry, 0, 2) == protocol.SUCCESS
    assert not batch(registry)["open"]
    batches.change(registry, KEYED, "A", "op", expires_at=FUTURE)
    assert code_of(registry, 1) == protocol.SUCCESS
    found = batch(registry)
    assert datetime.fromisoformat(found["expires_at"]) == FUTURE.replace(microsecond=0)


def test_a_device_is_counted_once(registry):
    """A repaired one needs no second place, also in a batch that is full."""
    batches.change(registry, KEYED, "A", "op", quota=1)
    assert code_of(registry, 0) == protocol.SUCCESS
    lifecycle.revoke(registry, imei(0), KEYED, "op")
    lifecycle.restore(registry, imei(0), KEYED, "op")
    assert code_of(registry, 0, 2) == protocol.SUCCESS
    assert batch(registry)["enrolled"] == 1


def test_version_1_keeps_to_the_quota(registry):
    """Of a product that is open."""
    products.add(registry, "O", product_key="pk-o", mqtt_host="h", policy=Policy.OPEN)
    batches.add(registry, "pk-o", "B", "op", quota=1)
    rows = [devices.ImportRow(n, imei(n), None) for n in range(2)]
    devices.register(registry, "pk-o", rows, batch="B")
    asked = [{"imei": imei(n), "productKey": "pk-o"} for n in range(2)]
    codes = [answer(registry, message).code for message in (*asked, asked[0])]
    assert codes == [protocol.SUCCESS, protocol.WAITING, protocol.SUCCESS]


def test_devices_move_until_they_enrol(registry):
    """Between batches of their product."""
    batches.add(registry, KEYED, "B", "op", quota=1)
    batches.move(registry, imei(0), KEYED, "B", "op")
    batches.move(registry, imei(1), KEYED, None, "op")
    counts = {each["name"]: each["devices"] for each in batches.list_batches(registry)}
    assert counts == {"A": 18, "B": 1}
    assert code_of(registry, 0) == code_of(registry, 1) == protocol.SUCCESS
    assert batch(registry, "B")["enrolled"] == 1
    with pytest.raises(Refused, match="has enrolled"):
        batches.move(registry, imei(0), KEYED, "A", "op")
    with pytest.raises(UnknownBatch):
        batches.move(registry, imei(2), KEYED, "C", "op")
    shown = search.show(registry, imei(0), KEYED)
    assert shown["batch"] == "B"
    assert shown["history"][-1]["note"] == "B"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../x"},
        {"name": ""},
        {"name": "n" * 65},
        {"quota": -1},
        {"quota": 2**31},
        {"expires_at": datetime(2026, 1, 1)},
        {"product_key": "pk-none"},
    ],
)
def test_what_is_no_batch(registry, wrong):
    """Nothing is added."""
    settings = {"product_key": KEYED, "name": "B", "who": "op", **wrong}
    with pytest.raises(PointctlError):
        batches.add(registry, **settings)
    assert len(batches.list_batches(registry)) == 1


def test_batches_are_audited(registry):
    """With their limits; a name is taken once."""
    with pytest.raises(Refused, match="exists"):
        batches.add(registry, KEYED, "A", "ann")
    batches.change(registry, KEYED, "A", "ann", quota=5)
    batches.change(registry, KEYED, "A", "ann", expires_at=PAST)
    entries = audit.list_entries(registry, who="ann", limit=9)
    assert [(entry["what"], entry["note"]) for entry in entries] == [
        ("batch changed", "quota 5, ends 2026-01-01T00:00:00+00:00"),
        ("batch changed", "quota 5, ends never"),
    ]
    assert entries[0]["subject"] == f"batch {KEYED}/A"


def test_open_enrolment(registry):
    """A board that nobody registered is, if it can sign, and only then."""
    assert code_of(registry, 70) == protocol.UNKNOWN_IMEI
    batches.add(registry, KEYED, "field", "op", quota=2)
    batches.open_to_unknown(registry, KEYED, "field", "ann")
    forged = {**device_key_board(70, KEYED).claim(1), "sign": "0" * 64}
    assert answer(registry, forged).code == protocol.BAD_SIGNATURE
    assert answer(registry, {"imei": imei(70), "productKey": KEYED}).code == "40101"
    assert code_of(registry, 70) == protocol.SUCCESS
    assert code_of(registry, 70) == protocol.SUCCESS
    shown = search.show(registry, imei(70), KEYED)
    assert (shown["batch"], shown["created_by"]) == ("field", "server")
    told = [(each["what"], each["note"]) for each in shown["history"]]
    assert told == [("issued", None), ("taken in", "field")]
    assert code_of(registry, 71) == protocol.SUCCESS
    assert code_of(registry, 72) == protocol.UNKNOWN_IMEI
    with registry.snapshot() as session:
        unknown = select(func.count(Device.id)).where(Device.imei == imei(72))
        assert session.scalar(unknown) == 0
    batches.open_to_unknown(registry, KEYED, None, "ann")
    batches.change(registry, KEYED, "field", "op", quota=None)
    assert code_of(registry, 72) == protocol.UNKNOWN_IMEI
    assert code_of(registry, 71, 2) == protocol.SUCCESS
    what = [each["what"] for each in audit.list_entries(registry, who="ann", limit=9)]
    assert what == ["enrolment closed", "enrolment opened"]


def test_open_enrolment_of_one_board_from_many_connections(registry):
    """It is registered once, and gets one credential."""
    batches.open_to_unknown(registry, KEYED, "A", "op")
    board = device_key_board(70, KEYED)
    with ThreadPoolExecutor(20) as pool:
        given = list(pool.map(lambda _: answer(registry, board.claim(1)), range(20)))
    secrets = {each.config["device"]["deviceSecret"] for each in given if each.config}
    assert {each.code for each in given} == {protocol.SUCCESS}
    assert len(secrets) == 1
    assert batch(registry)["enrolled"] == 1


def test_open_enrolment_by_the_product_s_secret(registry):
    """Whoever has it may name any IMEI: the quota is what protects."""
    policy = Policy.PRODUCT_SECRET
    products.add(registry, "S", product_key="pk-s", mqtt_host="h", policy=policy)
    batches.add(registry, "pk-s", "field", "op", quota=1)
    batches.open_to_unknown(registry, "pk-s", "field", "op")
    key = product_secret(registry, "pk-s").encode()
    codes = [answer(registry, Board(n, key, "pk-s").claim(1)).code for n in (70, 71)]
    assert codes == [protocol.SUCCESS, protocol.UNKNOWN_IMEI]


def test_open_enrolment_needs_a_proof(registry):
    """A product whose boards sign nothing would take in anybody."""
    issue(registry, 0)
    batches.add(registry, "pk-test", "B", "op")
    with pytest.raises(Refused, match="do not sign"):
        batches.open_to_unknown(registry, "pk-test", "B", "op")
    with pytest.raises(UnknownBatch):
        batches.open_to_unknown(registry, KEYED, "none", "op")
    batches.open_to_unknown(registry, KEYED, "A", "op")
    with pytest.raises(Refused, match="do not sign"):
        products.change(registry, KEYED, "op", policy=Policy.OPEN)


def test_an_imei_that_is_another_s_name_is_not_taken_in(registry):
    """Names are unique in a product."""
    devices.register(registry, KEYED, [devices.ImportRow(1, imei(50), imei(70))])
    batches.open_to_unknown(registry, KEYED, "A", "op")
    assert code_of(registry, 70) == protocol.UNKNOWN_IMEI
    assert code_of(registry, 50) == protocol.SUCCESS

"""Claim keys for a factory: each board takes one place, none in the field."""

import pytest

from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.devices import batches, devices
from pointctl.registry.issuing import claim_key_handout
from pointctl.registry.storage.models import Role
from tests.host.factory_parts import add_keyed
from tests.host.serving import (
    KEYED,
    KEYS,
    ON_BOTH,
    PRODUCT,
    answer,
    device_key_board,
    imei,
)
from tests.host.staff import hire


@pytest.fixture
def keyed(database):
    """The registry, with a product whose boards have keys, and a batch of two."""
    add_keyed(database, 2)
    return database


def give(database, serial, batch="A7"):
    """Request a key as a station does."""
    return claim_key_handout.hand_out(
        database, KEYS, KEYED, imei(serial), batch, "station"
    )


def places(database):
    """Return how many devices each batch of the product has."""
    return {
        each["name"]: each["devices"] for each in batches.list_batches(database, KEYED)
    }


@ON_BOTH
def test_asking_again_takes_no_second_place(keyed):
    """The same key is given each time; the second board takes the last place."""
    first, again = give(keyed, 20), give(keyed, 20)
    assert first.claim_key == again.claim_key == KEYS.derive(KEYED, imei(20)).hex()
    assert (first.registered, again.registered) == (True, False)
    give(keyed, 21)
    assert places(keyed) == {"A7": 2}
    with pytest.raises(Refused, match="full"):
        give(keyed, 22)
    assert give(keyed, 20).claim_key == first.claim_key
    given = [
        row["who"] for row in audit.list_entries(keyed, what="claim key given", limit=9)
    ]
    assert given == ["station"] * 4


@ON_BOTH
def test_an_imported_device_is_put_into_the_batch(keyed):
    """An imported device takes its place in the batch when its board asks."""
    row = devices.validate_row(1, imei(30), "meter-30")
    devices.register(keyed, KEYED, [row])
    assert not give(keyed, 30).registered
    assert places(keyed) == {"A7": 1}
    batches.add(keyed, KEYED, "A8", "test")
    with pytest.raises(Refused, match="another batch"):
        give(keyed, 30, "A8")


def test_a_board_in_the_field_gets_no_key(keyed):
    """After a board has claimed, a station's token does not give its key."""
    give(keyed, 40)
    board = device_key_board(40, KEYED)
    assert answer(keyed, board.claim(1)).code == "00000"
    with pytest.raises(Refused, match="issued"):
        give(keyed, 40)


@pytest.mark.parametrize(
    ("product", "number", "batch", "why"),
    [
        (KEYED, "866123450000200", "A7", "IMEI"),
        (KEYED, imei(50), "none", "no batch"),
        ("pk-none", imei(50), None, "no product"),
        (PRODUCT, imei(50), None, "have claim keys"),
    ],
)
def test_what_is_not_there(keyed, product, number, batch, why):
    """Each has its own message, and nothing is registered."""
    with pytest.raises(PointctlError, match=why):
        claim_key_handout.hand_out(keyed, KEYS, product, number, batch, "station")
    assert places(keyed) == {"A7": 0}


def test_the_endpoint(keyed, monkeypatch):
    """An operator's token is enough, a viewer's is not; the reply is not cached."""
    staff = hire(keyed, monkeypatch)
    url = f"/api/v1/products/{KEYED}/devices/{imei(60)}/claim-key"
    assert staff.program(Role.VIEWER).post(url, json={}).status_code == 403
    station = staff.program(Role.OPERATOR)
    reply = station.post(url, json={"batch": "A7"})
    assert reply.headers["cache-control"] == "no-store"
    key = KEYS.derive(KEYED, imei(60)).hex()
    assert reply.json() == {"imei": imei(60), "claim_key": key, "registered": True}
    for serial in (61, 62):
        reply = station.post(url.replace(imei(60), imei(serial)), json={"batch": "A7"})
    assert (reply.status_code, reply.json()["title"]) == (409, "Conflict")

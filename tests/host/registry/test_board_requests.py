"""What boards ask, as typed requests; and what a stranger's request costs."""

import hmac
import json

import pytest

from pointctl.registry.issuing import issuer as issuers
from pointctl.registry.issuing.board_requests import (
    Acknowledgement,
    ClaimRequest,
    OpenRequest,
)
from pointctl.registry.issuing.issuer import Issuer
from pointctl.registry.keys.claim_keys import ClaimKeys
from tests.host.serving import (
    KEYED,
    KEYS,
    SHARED,
    add_signed,
    decoded,
    device_key_board,
    forget_failures,
    imei,
)

SERIAL = 11  # not of the open product, which the fixture `database` has
BOARD = device_key_board(SERIAL, KEYED)


def test_each_kind_of_request():
    """What was sent is in it, and where it came from."""
    assert decoded({"imei": imei(SERIAL)}, "192.0.2.7") == OpenRequest(
        imei(SERIAL), None, 0, "192.0.2.7"
    )
    claim = BOARD.claim(1, time=1767225600, secret="s")
    assert decoded(claim) == ClaimRequest(
        imei(SERIAL),
        KEYED,
        1767225600,
        None,
        f"{1:032x}",
        claim["sign"],
        claim["proof"],
    )
    acknowledgement = BOARD.acknowledge(1)
    assert decoded(acknowledgement) == Acknowledgement(
        imei(SERIAL), KEYED, 0, None, f"{1:032x}", acknowledgement["ack"]
    )


@pytest.mark.parametrize("lacking", ["requestId", "sign"])
def test_a_claim_that_is_not_signed_is_an_open_request(lacking):
    """An open product serves it, another refuses it."""
    claim = BOARD.claim(1)
    del claim[lacking]
    assert type(decoded(claim)) is OpenRequest


def test_a_request_shows_no_signature():
    """Logs and errors may quote it."""
    for message in (BOARD.claim(1, secret="s"), BOARD.acknowledge(1)):
        shown = repr(decoded(message))
        secrets = [message.get(name) for name in ("sign", "proof", "ack")]
        assert not [each for each in secrets if each and each in shown]


def test_every_stranger_costs_one_derivation_and_one_comparison(database, monkeypatch):
    """Unknown, wrong, revoked or unsigned: the time tells a stranger nothing."""
    add_signed(database, SERIAL + 1)
    work = []

    class Counting(ClaimKeys):
        def derive(self, product_key, imei):
            work.append("derive")
            return super().derive(product_key, imei)

    class Comparing:
        @staticmethod
        def compare_digest(one, other):
            work.append("compare")
            return hmac.compare_digest(one, other)

    monkeypatch.setattr(issuers, "hmac", Comparing)
    issuer = Issuer(database, Counting(KEYS.master))
    claim, acknowledgement = BOARD.claim(1), BOARD.acknowledge(1)
    strangers = [
        {**claim, "sign": "0" * 64},
        {**claim, "imei": imei(99)},
        {**claim, "productKey": SHARED},
        {**claim, "productKey": "pk-none"},
        {k: v for k, v in claim.items() if k != "productKey"},
        {k: v for k, v in claim.items() if k != "sign"},
        {k: v for k, v in claim.items() if k != "requestId"},
        {"imei": imei(SERIAL)},
        {"imei": imei(99), "productKey": KEYED},
        {**acknowledgement, "ack": "0" * 64},
        {k: v for k, v in acknowledgement.items() if k != "requestId"},
    ]
    for message in strangers:
        forget_failures(database)
        work.clear()
        outcome = issuer.answer(decoded(message))
        seen = outcome.code, work
        assert seen == ("40101", ["derive", "compare"]), json.dumps(message)

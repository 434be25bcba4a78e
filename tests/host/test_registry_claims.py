"""Signed claims: who gets a credential under which request id, rule by rule."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from serving import (
    KEYED,
    KEYS,
    ON_BOTH,
    SHARED,
    Board,
    add_signed,
    answer,
    code_of,
    device_key_board,
    forget_failures,
    imei,
    log_in,
    product_secret,
    secret_of,
)
from sqlalchemy import func, select

from point import protocol
from pointctl.errors import PartlyFailed, Refused
from pointctl.registry import devices, lifecycle, search
from pointctl.registry.database import DatabaseError
from pointctl.registry.models import (
    AuditEntry,
    Claim,
    ClaimState,
    Credential,
    Device,
    State,
)

pytestmark = ON_BOTH


@pytest.fixture
def registry(database):
    """Beside the open product one of each signed policy, with imei(0) and imei(1)."""
    add_signed(database, 2)
    return database


@pytest.fixture
def keyed(registry):
    """A board with a key of its own."""
    return device_key_board(0, KEYED)


@pytest.fixture
def shared(registry):
    """A board that signs with the product's secret."""
    return Board(0, product_secret(registry, SHARED).encode(), SHARED)


def device(registry, board):
    with registry.reading() as session:
        return devices.find(session, imei(board.serial), board.product)


def what(registry, board):
    """The audit, in short."""
    entries = search.history(registry, imei(board.serial), board.product)
    return [entry["what"] for entry in entries]


def let_pass(registry, time):
    """Move everything that was written down into the past."""
    with registry.writing() as session:
        for found in session.scalars(select(Claim)):
            found.first_seen -= time
        for found in session.scalars(select(Device)):
            for name in ("busy_until", "doubted_at", "reopened_at"):
                if getattr(found, name):
                    setattr(found, name, getattr(found, name) - time)


class Accounts:
    """A broker that remembers what it was told."""

    def __init__(self):
        self.told = []

    def allow(self, *names):
        self.told.append(("allow", *names))

    def refuse(self, *names):
        self.told.append(("refuse", *names))


def test_the_same_id_gets_the_same_credential(registry, keyed):
    """A lost reply costs nothing; it is counted."""
    secrets = {secret_of(registry, keyed.claim(1)) for _ in range(3)}
    assert len(secrets) == 1
    with registry.reading() as session:
        (claim,) = session.scalars(select(Claim))
    assert (claim.answered, claim.state) == (3, ClaimState.OPEN)
    assert claim.last_seen > claim.first_seen
    assert device(registry, keyed).state is State.ISSUED


def test_an_acknowledged_id_is_spent(registry, keyed):
    """The acknowledgement may be repeated, and another id may follow."""
    secret = secret_of(registry, keyed.claim(1))
    for _ in range(2):
        assert code_of(registry, keyed.acknowledge(1)) == protocol.SUCCESS
    assert code_of(registry, keyed.claim(1)) == protocol.REPLAYED
    assert secret_of(registry, keyed.claim(2)) == secret


def test_an_id_is_spent_once_the_device_has_connected(registry, keyed):
    """Also without an acknowledgement: it may have been lost."""
    secret = secret_of(registry, keyed.claim(1))
    assert log_in(registry, f"{imei(0)}&{KEYED}", secret)
    assert device(registry, keyed).state is State.CONFIRMED
    assert code_of(registry, keyed.claim(1)) == protocol.REPLAYED
    assert secret_of(registry, keyed.claim(2)) == secret
    assert log_in(registry, f"{imei(0)}&{KEYED}", secret)
    assert code_of(registry, keyed.claim(2)) == protocol.REPLAYED


def test_an_id_is_spent_after_a_week(registry, keyed):
    """Six days are fine."""
    secret = secret_of(registry, keyed.claim(1))
    let_pass(registry, timedelta(days=6))
    assert secret_of(registry, keyed.claim(1)) == secret
    let_pass(registry, timedelta(days=1))
    assert code_of(registry, keyed.claim(1)) == protocol.REPLAYED
    assert secret_of(registry, keyed.claim(2)) == secret


def test_a_new_id_takes_the_place_of_the_old(registry, keyed):
    """Under device-key the signature is proof enough: a formatted flash comes back."""
    secret = secret_of(registry, keyed.claim(1))
    assert secret_of(registry, keyed.claim(2)) == secret
    assert code_of(registry, keyed.claim(1)) == protocol.REPLAYED


def test_a_wrong_acknowledgement_closes_nothing(registry, keyed):
    """It needs the board's key, and the word "ack": a signature is none."""
    claim = keyed.claim(1)
    secret_of(registry, claim)
    for ack in ("0" * 64, claim["sign"]):
        message = {**keyed.acknowledge(1), "ack": ack}
        assert code_of(registry, message) == protocol.BAD_SIGNATURE
    assert code_of(registry, claim) == protocol.SUCCESS


def strangers(keyed, shared):
    """Everybody who cannot sign, by what is wrong."""
    right, other = keyed.claim(1), device_key_board(1, KEYED).claim(1)
    return {
        "unsigned": {"imei": imei(0), "productKey": KEYED},
        "unsigned under product-secret": {"imei": imei(0), "productKey": SHARED},
        "signature": {**right, "sign": "0" * 64},
        "another board's": {**right, "sign": other["sign"]},
        "another product's": {**right, "sign": shared.claim(1)["sign"]},
        "other id": {**right, "requestId": f"{2:032x}"},
        "other time": {**right, "time": 1},
        "no id": {**right, "requestId": None},
        "unknown IMEI": {**right, "imei": imei(99)},
        "unknown IMEI, unsigned": {"imei": imei(99), "productKey": KEYED},
        "unknown product": {**right, "productKey": "pk-none"},
        "no product": {**right, "imei": imei(99), "productKey": None},
        "device key under product-secret": {**right, "productKey": SHARED},
    }


def test_strangers_are_all_alike(registry, keyed, shared):
    """They get the same answer, and nothing is written of them."""
    with registry.reading() as session:
        before = session.scalar(select(func.max(AuditEntry.id)))
    for why, message in strangers(keyed, shared).items():
        forget_failures(registry)
        given = answer(registry, message)
        assert given.code == protocol.BAD_SIGNATURE, why
        assert given.config is given.retry_after_s is None
    with registry.reading() as session:
        assert session.scalar(select(func.count(Claim.id))) == 0
        assert session.scalar(select(func.max(AuditEntry.id))) == before


def test_whoever_can_sign_is_told_more(registry, keyed, shared):
    """Not registered, revoked, quarantined; a stranger hears 40101 in each case."""
    unknown = device_key_board(99, KEYED)
    assert code_of(registry, unknown.claim(1)) == protocol.UNKNOWN_IMEI
    assert code_of(registry, unknown.acknowledge(1)) == protocol.UNKNOWN_IMEI
    foreign = Board(99, shared.key, SHARED)
    assert code_of(registry, foreign.claim(1)) == protocol.UNKNOWN_IMEI
    lifecycle.revoke(registry, imei(0), KEYED, "op")
    assert code_of(registry, keyed.claim(1)) == protocol.REVOKED
    forged = {**keyed.claim(1), "sign": "0" * 64}
    assert code_of(registry, forged) == protocol.BAD_SIGNATURE


def test_another_master_makes_every_board_a_stranger(registry):
    """Keys are derived from one master."""
    other = device_key_board(0, KEYED, type(KEYS)(bytes(32)))
    assert code_of(registry, other.claim(1)) == protocol.BAD_SIGNATURE


def test_under_product_secret_the_first_claim_counts(registry, shared):
    """Whoever knows the product's secret only is refused afterwards."""
    secret = secret_of(registry, shared.claim(1))
    assert secret_of(registry, shared.claim(1)) == secret
    assert code_of(registry, shared.claim(2)) == protocol.ALREADY_ISSUED
    assert secret_of(registry, shared.claim(1)) == secret
    wrong = shared.claim(3, secret="not it")
    assert code_of(registry, wrong) == protocol.ALREADY_ISSUED
    assert what(registry, shared) == ["issued"] + ["second identity"] * 2


def test_under_product_secret_a_proof_opens(registry, shared):
    """The board that holds the deviceSecret is the one it was issued to."""
    secret = secret_of(registry, shared.claim(1))
    assert secret_of(registry, shared.claim(2, secret=secret)) == secret
    assert code_of(registry, shared.claim(1)) == protocol.REPLAYED
    stolen = {**shared.claim(3), "proof": shared.claim(2, secret=secret)["proof"]}
    assert code_of(registry, stolen) == protocol.ALREADY_ISSUED


def test_under_product_secret_an_operator_opens(registry, shared, keyed):
    """For one claim, within a week, and with a name to it."""
    secret = secret_of(registry, shared.claim(1))
    lifecycle.reopen(registry, imei(0), SHARED, "alice")
    assert secret_of(registry, shared.claim(2)) == secret
    assert code_of(registry, shared.claim(3)) == protocol.ALREADY_ISSUED
    lifecycle.reopen(registry, imei(0), SHARED, "alice")
    let_pass(registry, timedelta(days=7))
    assert code_of(registry, shared.claim(4)) == protocol.ALREADY_ISSUED
    entries = search.history(registry, imei(0), SHARED)
    assert ("reopened", "alice") in [(e["what"], e["who"]) for e in entries]
    with pytest.raises(Refused, match="product-secret"):
        lifecycle.reopen(registry, imei(0), KEYED, "alice")


def test_the_third_unproven_claim_means_quarantine(registry, shared, log):
    """From then on nobody is served, until an operator has looked."""
    secret = secret_of(registry, shared.claim(1))
    for number in (2, 3, 4):
        assert code_of(registry, shared.claim(number)) == protocol.ALREADY_ISSUED
    assert device(registry, shared).state is State.QUARANTINED
    assert log.getvalue().count('"event": "quarantined"') == 1
    assert code_of(registry, shared.claim(1)) == protocol.WAITING
    assert log_in(registry, f"{imei(0)}&{SHARED}", secret)
    lifecycle.release(registry, imei(0), SHARED, "op")
    assert device(registry, shared).state is State.CONFIRMED
    assert code_of(registry, shared.claim(5)) == protocol.ALREADY_ISSUED
    history = ["issued", *["second identity"] * 3, "quarantined", "confirmed"]
    assert what(registry, shared) == [*history, "released", "second identity"]
    with pytest.raises(Refused, match="not quarantined"):
        lifecycle.release(registry, imei(0), SHARED, "op")


def test_reopening_ends_a_quarantine(registry, shared):
    """One command for a repaired board that has asked too often."""
    secret = secret_of(registry, shared.claim(1))
    for number in (2, 3, 4):
        answer(registry, shared.claim(number))
    lifecycle.reopen(registry, imei(0), SHARED, "op")
    assert device(registry, shared).state is State.ISSUED
    assert secret_of(registry, shared.claim(5)) == secret


def test_the_sixth_unfinished_claim_in_an_hour_means_quarantine(registry, keyed):
    """Two boards with one key look like this; one board that reboots does not."""
    for number in range(6):
        secret_of(registry, keyed.claim(number))
    assert code_of(registry, keyed.claim(6)) == protocol.WAITING
    assert device(registry, keyed).state is State.QUARANTINED
    lifecycle.release(registry, imei(0), KEYED, "op")
    assert device(registry, keyed).state is State.ISSUED
    secret_of(registry, keyed.claim(7))


def test_claims_that_were_finished_raise_no_doubt(registry, keyed):
    """A board that the broker refuses comes again and again, and says so."""
    for number in range(15):
        secret_of(registry, keyed.claim(number))
        assert code_of(registry, keyed.acknowledge(number)) == protocol.SUCCESS


def test_doubts_are_forgotten_after_an_hour(registry, keyed):
    """Five in each hour are no reason."""
    for hour in range(3):
        for number in range(5):
            secret_of(registry, keyed.claim(hour * 5 + number))
        let_pass(registry, timedelta(minutes=61))


def test_a_board_that_asks_too_often_is_told_to_wait(registry, keyed, standing_clock):
    """Twenty at once, then one every three seconds; for this board only."""
    for _ in range(20):
        secret_of(registry, keyed.claim(1))
    given = answer(registry, keyed.claim(1))
    assert (given.code, given.retry_after_s) == (protocol.SLOW_DOWN, 3)
    secret_of(registry, device_key_board(1, KEYED).claim(1))
    let_pass(registry, timedelta(seconds=3))
    secret_of(registry, keyed.claim(1))
    assert code_of(registry, keyed.claim(1)) == protocol.SLOW_DOWN
    let_pass(registry, timedelta(hours=1))
    for _ in range(20):
        secret_of(registry, keyed.claim(1))


def test_a_restored_device_gets_a_new_secret(registry, keyed, shared):
    """The old one and the old id are worth nothing; also where a proof was needed."""
    for board in (keyed, shared):
        old = secret_of(registry, board.claim(1))
        lifecycle.revoke(registry, imei(0), board.product, "op")
        with pytest.raises(Refused, match="not quarantined"):
            lifecycle.release(registry, imei(0), board.product, "op")
        lifecycle.restore(registry, imei(0), board.product, "op")
        assert device(registry, board).state is State.REGISTERED
        assert code_of(registry, board.claim(1)) == protocol.REPLAYED
        new = secret_of(registry, board.claim(2))
        assert new != old
        user = f"{imei(0)}&{board.product}"
        assert log_in(registry, user, old) is None
        assert log_in(registry, user, new)
        assert what(registry, board)[:4] == ["issued", "revoked", "restored", "issued"]
        with pytest.raises(Refused, match="not revoked"):
            lifecycle.restore(registry, imei(0), board.product, "op")


def test_revoking_tells_the_broker(registry, keyed):
    """Without one at hand it is half done, which is said, and can be done again."""
    accounts = Accounts()
    answer(registry, keyed.claim(1), accounts)
    assert [told[:3] for told in accounts.told] == [("allow", KEYED, imei(0))]
    with pytest.raises(PartlyFailed, match="--mosquitto"):
        lifecycle.revoke(registry, imei(0), KEYED, "op")
    assert code_of(registry, keyed.claim(1)) == protocol.REVOKED
    with pytest.raises(Refused, match="--mosquitto"):
        lifecycle.restore(registry, imei(0), KEYED, "op")
    lifecycle.revoke(registry, imei(0), KEYED, "op", accounts)
    assert accounts.told[1:] == [("refuse", KEYED, imei(0))]
    lifecycle.restore(registry, imei(0), KEYED, "op")
    answer(registry, keyed.claim(2), accounts)
    assert accounts.told[2][:3] == ("allow", KEYED, imei(0))


def test_fifty_ids_at_once_get_one_secret(registry, keyed):
    """Or are turned away; there is one credential, and at most one open claim."""
    with ThreadPoolExecutor(50) as pool:
        given = list(
            pool.map(lambda n: answer(registry, keyed.claim(n)), range(50)),
        )
    secrets = {a.config["device"]["deviceSecret"] for a in given if a.config}
    assert len(secrets) == 1
    assert {a.code for a in given} == {protocol.SUCCESS, protocol.WAITING}
    assert sum(a.code == protocol.SUCCESS for a in given) == 6
    with registry.reading() as session:
        assert session.scalar(select(func.count(Credential.id))) == 1
        open_ones = Claim.state == ClaimState.OPEN
        assert session.scalar(select(func.count(Claim.id)).where(open_ones)) <= 1


def test_the_audit_only_grows(registry, keyed):
    """What was written stays."""
    secret_of(registry, keyed.claim(1))

    def forget():
        with registry.writing() as session:
            session.delete(session.scalars(select(AuditEntry)).first())

    def rewrite():
        with registry.writing() as session:
            session.scalars(select(AuditEntry)).first().who = "nobody"

    for change in (forget, rewrite):
        with pytest.raises(DatabaseError, match="stay as they are"):
            change()

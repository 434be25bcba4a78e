"""States and rotations: what an operator does, and what boards and brokers notice."""

import pytest
from sqlalchemy import select

from point import protocol
from pointctl.errors import PartlyFailed, PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.devices import devices, search
from pointctl.registry.issuing import lifecycle
from pointctl.registry.storage.etags import Changed
from pointctl.registry.storage.models import AuditEntry, Credential, State
from tests.host.serving import (
    KEYED,
    ON_BOTH,
    PRODUCT,
    SHARED,
    Board,
    add_signed,
    code_of,
    device_key_board,
    imei,
    issue,
    log_in,
    product_secret,
    secret_of,
    secrets_of,
)

pytestmark = ON_BOTH


@pytest.fixture
def registry(database):
    """Beside the open product one of each signed policy, with imei(0) and imei(1)."""
    add_signed(database, 2)
    return database


@pytest.fixture
def keyed(registry):
    return device_key_board(0, KEYED)


def enters(registry, secret, product=KEYED, serial=0):
    """Whether the broker lets a device in."""
    return log_in(registry, f"{imei(serial)}&{product}", secret) is not None


def state(registry, product=KEYED):
    return search.show(registry, imei(0), product)["state"]


def credentials(registry, product=KEYED):
    """What there is of a device's credentials, the newest first."""
    return [
        each["standing"]
        for each in search.show(registry, imei(0), product)["credentials"]
    ]


def what(registry, product=KEYED):
    return [each["what"] for each in search.read_history(registry, imei(0), product)]


def do(registry, name, *accounts, product=KEYED, **why):
    getattr(lifecycle, name)(registry, imei(0), product, "op", *accounts, **why)


class Accounts:
    """A broker that knows one password for each device."""

    def __init__(self):
        self.passwords = {}

    def allow(self, product_key, device_name, password, auth=None):
        self.passwords[device_name] = password

    def refuse(self, product_key, device_name):
        self.passwords.pop(device_name, None)


def test_a_locked_device_claims_nothing_and_stays_connected(registry, keyed):
    """To a stranger it is like any other; unlocked it goes on where it was."""
    secret = secret_of(registry, keyed.claim(1))
    do(registry, "lock", reason="stolen?")
    assert code_of(registry, keyed.claim(2)) == protocol.WAITING
    forged = {**keyed.claim(2), "sign": "0" * 64}
    assert code_of(registry, forged) == protocol.BAD_SIGNATURE
    assert enters(registry, secret)
    assert state(registry) == "locked"
    do(registry, "unlock")
    assert state(registry) == "confirmed"
    assert secret_of(registry, keyed.claim(2)) == secret
    assert what(registry) == ["issued", "locked", "confirmed", "unlocked"]
    assert search.read_history(registry, imei(0), KEYED)[1]["note"] == "stolen?"


@pytest.mark.parametrize("before", ["registered", "issued"])
def test_unlocking_gives_back_the_state(registry, keyed, before):
    """Whatever it was."""
    if before == "issued":
        secret_of(registry, keyed.claim(1))
    do(registry, "lock")
    do(registry, "unlock")
    assert state(registry) == before


def test_a_retired_device_is_out_for_good(registry, keyed):
    """At the broker, too; its secret is gone, and registering it changes nothing."""
    secret = secret_of(registry, keyed.claim(1))
    assert enters(registry, secret)
    do(registry, "retire")
    assert code_of(registry, keyed.claim(1)) == protocol.REVOKED
    assert code_of(registry, keyed.claim(2)) == protocol.REVOKED
    assert not enters(registry, secret)
    assert secrets_of(registry, imei(0), KEYED) == []
    again = devices.register(registry, KEYED, [devices.ImportRow(1, imei(0), None)])
    assert (again.added, again.unchanged) == (0, 1)
    assert (state(registry), credentials(registry)) == ("retired", ["retired"])
    for wrong in ("restore", "release", "unlock", "lock", "rotate", "revoke"):
        with pytest.raises(Refused):
            do(registry, wrong)


def test_retiring_can_be_undone(registry, keyed):
    """With a new secret, as after a revocation."""
    old = secret_of(registry, keyed.claim(1))
    do(registry, "retire")
    do(registry, "unretire")
    assert state(registry) == "registered"
    assert code_of(registry, keyed.claim(1)) == protocol.REPLAYED
    new = secret_of(registry, keyed.claim(2))
    assert new != old
    assert not enters(registry, old)
    assert enters(registry, new)
    assert credentials(registry) == ["current", "retired"]
    with pytest.raises(Refused, match="not retired"):
        do(registry, "unretire")


def test_retiring_tells_the_broker(registry, keyed):
    """As revoking does, and it can be done again with what was lacking."""
    accounts = Accounts()
    secret_of(registry, keyed.claim(1), accounts)
    with pytest.raises(PartlyFailed, match="--mosquitto"):
        do(registry, "retire")
    with pytest.raises(Refused, match="--mosquitto"):
        do(registry, "unretire")
    do(registry, "retire", accounts)
    assert accounts.passwords == {}
    do(registry, "unretire")


def test_a_refused_act_leaves_no_trace(registry):
    """Nor does one on a device that is not there."""
    with pytest.raises(Refused, match="registered, not issued or confirmed"):
        do(registry, "rotate")
    with pytest.raises(Refused, match="not locked"):
        do(registry, "unlock")
    with pytest.raises(Refused, match="not quarantined"):
        do(registry, "release")
    with pytest.raises(devices.UnknownDevice):
        lifecycle.lock(registry, imei(99), KEYED, "op")
    with pytest.raises(PointctlError, match="give a reason"):
        do(registry, "lock", reason="two\nlines")
    assert what(registry) == []
    assert state(registry) == "registered"


def test_a_rotation(registry, keyed):
    """Both secrets are good until the new one is seen at the broker."""
    old = secret_of(registry, keyed.claim(1))
    assert enters(registry, old)
    do(registry, "rotate")
    assert credentials(registry) == ["next", "current"]
    assert enters(registry, old)
    new = secret_of(registry, keyed.claim(2))
    assert new != old
    assert code_of(registry, keyed.acknowledge(2)) == protocol.SUCCESS
    assert enters(registry, old)  # its flash may fall back until it has connected
    assert secret_of(registry, keyed.claim(3)) == new
    assert enters(registry, new)
    assert not enters(registry, old)
    assert credentials(registry) == ["current", "retired"]
    assert secret_of(registry, keyed.claim(4)) == new
    history = ["issued", "confirmed", "rotation begun"]
    assert [each for each in what(registry) if each in (*history, "rotated")] == [
        *history,
        "rotated",
    ]


def test_a_rotation_ends_the_open_claim(registry, keyed):
    """One id stands for one credential, also if its reply was lost."""
    old = secret_of(registry, keyed.claim(1))
    do(registry, "rotate")
    assert code_of(registry, keyed.claim(1)) == protocol.REPLAYED
    new = secret_of(registry, keyed.claim(2))
    assert new != old
    assert secret_of(registry, keyed.claim(2)) == new


def test_a_second_rotation_takes_the_place_of_the_first(registry, keyed):
    """What was handed out by the first is worth nothing then."""
    old = secret_of(registry, keyed.claim(1))
    do(registry, "rotate")
    lost = secret_of(registry, keyed.claim(2))
    do(registry, "rotate")
    new = secret_of(registry, keyed.claim(3))
    assert len({old, lost, new}) == 3
    assert not enters(registry, lost)
    assert enters(registry, old)
    assert enters(registry, new)
    assert not enters(registry, old)
    assert credentials(registry) == ["current", "retired", "retired"]


def test_a_rotation_under_product_secret(registry):
    """Either secret is a proof."""
    board = Board(0, product_secret(registry, SHARED).encode(), SHARED)
    old = secret_of(registry, board.claim(1))
    do(registry, "rotate", product=SHARED)
    assert code_of(registry, board.claim(2)) == protocol.ALREADY_ISSUED
    new = secret_of(registry, board.claim(3, secret=old))
    assert secret_of(registry, board.claim(4, secret=new)) == new
    assert secret_of(registry, board.claim(5, secret=old)) == new
    assert enters(registry, new, SHARED)
    assert code_of(registry, board.claim(6, secret=old)) == protocol.ALREADY_ISSUED
    assert secret_of(registry, board.claim(7, secret=new)) == new


def test_a_rotation_of_an_open_product(registry):
    """Version 1 is given the new one as well."""
    old = issue(registry, 0)["device"]["deviceSecret"]
    do(registry, "rotate", product=PRODUCT)
    new = issue(registry, 0)["device"]["deviceSecret"]
    assert new != old
    assert enters(registry, new, PRODUCT)
    assert issue(registry, 0)["device"]["deviceSecret"] == new


def test_a_rotation_where_the_broker_knows_one_password(registry, keyed):
    """The old one ends when the new one is handed out: it cannot have both."""
    accounts = Accounts()
    old = secret_of(registry, keyed.claim(1), accounts)
    do(registry, "rotate")
    assert accounts.passwords == {imei(0): old}
    new = secret_of(registry, keyed.claim(2), accounts)
    assert accounts.passwords == {imei(0): new}
    assert credentials(registry) == ["current", "retired"]
    assert secret_of(registry, keyed.claim(2), accounts) == new


def test_revoking_during_a_rotation(registry, keyed):
    """Neither secret opens anything, and a restored device gets a third one."""
    old = secret_of(registry, keyed.claim(1))
    do(registry, "rotate")
    new = secret_of(registry, keyed.claim(2))
    do(registry, "revoke")
    assert not enters(registry, old)
    assert not enters(registry, new)
    do(registry, "restore")
    assert credentials(registry) == ["retired", "retired"]
    third = secret_of(registry, keyed.claim(3))
    assert third not in (old, new)


def test_what_is_retired_keeps_no_secret(registry, keyed):
    """Only that it was there, and when."""
    secret_of(registry, keyed.claim(1))
    do(registry, "rotate")
    enters(registry, secret_of(registry, keyed.claim(2)))
    with registry.snapshot() as session:
        rows = session.scalars(select(Credential).order_by(Credential.id)).all()
    retired, current = rows[-2:]
    assert (retired.standing, retired.encrypted_secret) == (None, None)
    assert retired.retired_at >= retired.created_at
    assert current.retired_at is None


def test_revealing(registry, keyed):
    """With a reason, which is written down beside who it was."""
    secret = secret_of(registry, keyed.claim(1))
    who = imei(0), KEYED, "ann"
    with pytest.raises(PointctlError, match="give a reason"):
        lifecycle.reveal(registry, *who)
    assert what(registry) == ["issued"]
    assert lifecycle.reveal(registry, *who, reason="RMA 4711") == [secret]
    last = search.read_history(registry, imei(0), KEYED)[-1]
    assert (last["what"], last["who"], last["note"]) == ("revealed", "ann", "RMA 4711")
    with pytest.raises(Refused, match="no secret"):
        lifecycle.reveal(registry, imei(1), KEYED, "ann", reason="none")
    with registry.snapshot() as session:
        told = session.scalars(select(AuditEntry.note)).all()
    assert secret not in str(told)


def test_nothing_is_done_to_what_has_changed(registry, keyed):
    """Two people at once: the second one looks again first."""
    seen = search.show(registry, imei(0), KEYED)["etag"]
    assert search.show(registry, imei(0), KEYED)["etag"] == seen
    do(registry, "lock", etag=seen)
    with pytest.raises(Changed):
        do(registry, "revoke", etag=seen)
    assert state(registry) == "locked"
    assert what(registry) == ["locked"]
    do(registry, "unlock", etag=search.show(registry, imei(0), KEYED)["etag"])
    secret_of(registry, keyed.claim(1))
    with pytest.raises(Changed):
        do(registry, "lock", etag=seen)


def test_every_act_is_in_the_audit_with_its_actor(registry, keyed):
    """In the same transaction: also where it ends in PartlyFailed."""
    secret_of(registry, keyed.claim(1), Accounts())
    with pytest.raises(PartlyFailed):
        do(registry, "revoke")
    (entry, *_) = audit.list_entries(registry, limit=1)
    assert (entry["what"], entry["who"], entry["imei"]) == ("revoked", "op", imei(0))
    assert State(state(registry)) is State.REVOKED

"""Requests that are answered together: the same answers, in one transaction."""

import json

import pytest
from serving import KEYED, KEYS, ON_BOTH, add_product, device_key_board, imei
from sqlalchemy import func, select, text, update

from point import protocol
from point.host import protocol_server
from pointctl.registry.issuing.issuer import Answer, Issuer
from pointctl.registry.storage.database import DatabaseError
from pointctl.registry.storage.models import Credential, Device
from pointctl.registry.storage.vault import VaultError

pytestmark = ON_BOTH

DEVICES = 20


@pytest.fixture
def issuer(database):
    """Issues for a product whose boards have keys of their own."""
    add_product(database, KEYED, DEVICES)
    return Issuer(database, KEYS)


def asked(serial, number=1, **changed):
    """A board's claim, as answer_all() takes it."""
    message = {**device_key_board(serial, KEYED).claim(number), **changed}
    return protocol_server.decode_request(json.dumps(message).encode()), None


def acknowledged(serial, number=1):
    message = device_key_board(serial, KEYED).acknowledge(number)
    return protocol_server.decode_request(json.dumps(message).encode()), None


def answers(issuer, *requests):
    """What they are answered, each once it has been called where it has to be."""
    steps = issuer.answer_all(requests)
    return [step if isinstance(step, Answer) else step() for step in steps]


def secret_of(answer):
    assert answer.code == protocol.SUCCESS
    return answer.config["device"]["deviceSecret"]


def test_boards_that_come_together_get_what_is_theirs(database, issuer):
    """In the order in which they asked; and again the same, alone."""
    together = answers(issuer, *(asked(serial) for serial in range(DEVICES)))
    names = [answer.config["device"]["deviceName"] for answer in together]
    assert names == [imei(serial) for serial in range(DEVICES)]
    assert len({secret_of(answer) for answer in together}) == DEVICES
    for serial, answer in enumerate(together):
        assert secret_of(answers(issuer, asked(serial))[0]) == secret_of(answer)


def test_strangers_among_them_change_nothing(issuer):
    """Unknown, unsigned or a replay: each has its own answer."""
    secret_of(answers(issuer, asked(2))[0])
    found = answers(
        issuer,
        asked(0),
        asked(1, sign="0" * 64),
        acknowledged(2),
        asked(99),
        asked(3),
    )
    assert [answer.code for answer in found] == [
        protocol.SUCCESS,
        protocol.BAD_SIGNATURE,
        protocol.SUCCESS,
        protocol.UNKNOWN_IMEI,
        protocol.SUCCESS,
    ]
    assert answers(issuer, asked(2))[0].code == protocol.REPLAYED


def test_one_device_several_times(database, issuer):
    """One after the other, as if they had come so."""
    found = answers(
        issuer, asked(0, 1), asked(1), asked(0, 1), acknowledged(0, 1), asked(0, 1)
    )
    assert secret_of(found[0]) == secret_of(found[2]) != secret_of(found[1])
    assert [answer.code for answer in found[3:]] == ["00000", protocol.REPLAYED]
    with database.snapshot() as session:
        assert session.scalar(select(func.count(Credential.id))) == 2


def test_sixty_four_claims_of_one_device_are_judged_by_the_rules(database, issuer):
    """Five take the place of one another, then it is quarantined: one credential."""
    found = answers(issuer, *(asked(0, number) for number in range(64)))
    assert len({secret_of(answer) for answer in found[:6]}) == 1
    assert {answer.code for answer in found[6:]} == {protocol.WAITING}
    with database.snapshot() as session:
        assert session.scalar(select(func.count(Credential.id))) == 1


def test_a_device_with_a_damaged_secret_harms_no_other(database, issuer):
    """It alone fails."""
    secret_of(answers(issuer, asked(0))[0])
    with database.exclusive() as session:
        session.execute(update(Credential).values(encrypted_secret="no.secret"))
    steps = issuer.answer_all([asked(1), asked(0), asked(2)])
    with pytest.raises(VaultError):
        steps[1]()
    for place in (0, 2):
        step = steps[place]
        secret_of(step if isinstance(step, Answer) else step())


def test_what_cannot_be_written_is_found_out_one_by_one(database, issuer):
    """Here the database refuses one device; nothing of the others is lost."""
    with database.exclusive() as session:
        query = select(Device.id).where(
            Device.imei == imei(1), Device.product_key == KEYED
        )
        _refuse(session, session.scalar(query))
    steps = issuer.answer_all([asked(0), asked(1), asked(2)])
    assert not any(isinstance(step, Answer) for step in steps)
    with pytest.raises(DatabaseError, match="not this one"):
        steps[1]()
    assert secret_of(steps[0]()) != secret_of(steps[2]())
    with database.snapshot() as session:
        assert session.scalar(select(func.count(Credential.id))) == 2


def _refuse(session, device_id):
    """Let the database take no credential of this device."""
    when = (
        f"BEFORE INSERT ON credentials FOR EACH ROW WHEN (NEW.device_id = {device_id})"
    )
    if session.get_bind().dialect.name == "sqlite":
        body = "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    else:
        session.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'not this one'; END $$"
            )
        )
        body = "EXECUTE FUNCTION refuse()"
    session.execute(text(f"CREATE TRIGGER refused {when} {body}"))

"""Version 1 and the broker: one credential a device, however often it is asked for."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import KEYS, ON_BOTH, PRODUCT, answer, imei, issue, log_in, secrets_of
from sqlalchemy import func, select

from point import protocol
from point.host import protocol_server
from pointctl.registry.devices import devices, products, search
from pointctl.registry.issuing import lifecycle
from pointctl.registry.issuing.issuer import Issuer
from pointctl.registry.storage.models import Credential, Policy, State

pytestmark = ON_BOTH

REQUEST = protocol_server.decode_request(b'{"imei": "%s"}' % imei(0).encode())


class Accounts:
    """A broker that can be told to fail, and remembers whom it let in."""

    def __init__(self):
        self.failing = False
        self.allowed = []
        self.refused = []
        self.meanwhile = None  # what happens while it is being told

    def allow(self, product_key, device_name, password, auth=None):
        if self.failing:
            raise ConnectionRefusedError("no broker")
        if self.meanwhile:
            self.meanwhile()
        self.allowed.append((product_key, device_name, password))

    def refuse(self, product_key, device_name):
        self.refused.append((product_key, device_name))


def secret_of(config):
    return config["device"]["deviceSecret"]


def ask(database, serial, accounts=None):
    return answer(database, {"imei": imei(serial)}, accounts)


def test_first_access_makes_the_secret_and_marks_the_device(database):
    """A registered device becomes issued, with 128 random bits."""
    config = issue(database, 0)
    assert len(bytes.fromhex(secret_of(config))) == 16
    with database.snapshot() as session:
        device = devices.find(session, imei(0))
        assert device.state is State.ISSUED
        assert device.issued_at is not None
        assert device.issued_at.tzinfo is not None
    (credential,) = search.show(database, imei(0))["credentials"]
    assert credential["created_at"] == device.issued_at.isoformat(timespec="seconds")


def test_later_access_gives_the_same(database):
    """The product key may be left out where it is not needed."""
    assert issue(database, 0) == ask(database, 0).config
    assert secret_of(issue(database, 0)) != secret_of(issue(database, 1))


def test_fifty_at_once_get_one_secret(database):
    """Threads that all find no credential make one between them."""
    with ThreadPoolExecutor(50) as pool:
        configs = list(pool.map(lambda _: issue(database, 0), range(50)))
    assert all(config == configs[0] for config in configs)
    with database.snapshot() as session:
        assert session.scalar(select(func.count(Credential.id))) == 1


def test_an_imei_in_two_open_products_has_to_name_one(database):
    """Or the board might be given what is another's."""
    products.add(
        database, "O", policy=Policy.OPEN, product_key="pk-other", mqtt_host="mqtt.test"
    )
    devices.register(database, "pk-other", [devices.Row(1, imei(0), None)])
    assert ask(database, 0).code == protocol.BAD_SIGNATURE
    named = answer(database, {"imei": imei(0), "productKey": "pk-other"})
    assert named.config is not None
    assert named.config["device"]["productKey"] == "pk-other"


def test_a_revoked_device_of_an_open_product_gets_nothing(database):
    """Version 1 has no secrets from strangers, this one included."""
    issue(database, 0)
    lifecycle.revoke(database, imei(0), None, "op")
    assert ask(database, 0).code == protocol.REVOKED


def test_the_broker_is_told_once_and_before_the_reply(database):
    """Also when many requests find the device not announced yet."""
    accounts = Accounts()
    issuer = Issuer(database, KEYS, accounts)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: issuer.answer(REQUEST), range(20)))
    assert accounts.allowed == [(PRODUCT, imei(0), secret_of(answers[0].config))]


def test_a_failing_broker_costs_no_credential(database):
    """The request fails; the next one announces the same secret."""
    accounts = Accounts()
    accounts.failing = True
    with pytest.raises(ConnectionRefusedError):
        ask(database, 0, accounts)
    accounts.failing = False
    (made,) = secrets_of(database, imei(0))
    assert secret_of(ask(database, 0, accounts).config) == made
    assert accounts.allowed == [(PRODUCT, imei(0), made)]


def test_devices_issued_without_a_broker_are_announced_later(database):
    """A broker that is added afterwards learns of each device at its next request."""
    config = issue(database, 0)
    accounts = Accounts()
    assert ask(database, 0, accounts).config == config
    assert accounts.allowed == [(PRODUCT, imei(0), secret_of(config))]


def test_a_device_that_is_revoked_while_the_broker_is_told_stays_out(database):
    """The registry has the last word."""
    accounts = Accounts()
    accounts.meanwhile = lambda: lifecycle.revoke(database, imei(0), None, "op")
    ask(database, 0, accounts)
    assert accounts.refused == [(PRODUCT, imei(0))]
    with database.snapshot() as session:
        assert devices.find(session, imei(0)).announced_at is None


def test_the_first_login_confirms_the_device(database):
    """Once; a revoked one is refused, whatever it knows."""
    secret = secret_of(issue(database, 0))
    user = f"{imei(0)}&{PRODUCT}"
    for _ in range(2):
        assert log_in(database, user, secret)
    with database.snapshot() as session:
        device = devices.find(session, imei(0))
    assert (device.state, device.confirmed_at is None) == (State.CONFIRMED, False)
    lifecycle.revoke(database, imei(0), PRODUCT, "op")
    assert log_in(database, user, secret) is None
    what = [entry["what"] for entry in search.history(database, imei(0))]
    assert what == ["issued", "confirmed", "revoked"]


def test_mqtt_login_is_the_issued_secret_and_nothing_else(database):
    """Also not the empty password of a device that was never issued one."""
    secret = secret_of(issue(database, 0))
    user = f"{imei(0)}&{PRODUCT}"
    known = log_in(database, user, secret)
    assert known is not None
    assert known.imei == imei(0)
    for name, password in (
        (user, secret[:-1]),
        (user, ""),
        (user, "é"),
        (imei(0), secret),
        (f"{imei(0)}&pk-other", secret),
        (f"{imei(1)}&{PRODUCT}", secret),
        (f"{imei(1)}&{PRODUCT}", ""),
        ("", ""),
    ):
        assert log_in(database, name, password) is None

"""One credential a device, however often and from wherever it is asked for."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import PRODUCT, imei
from sqlalchemy import func, select

from pointctl.registry import devices, products
from pointctl.registry.access import Issuer, verify_mqtt
from pointctl.registry.devices import UnknownDevice
from pointctl.registry.models import Credential, State


class Accounts:
    """A broker that can be told to fail, and remembers whom it let in."""

    def __init__(self):
        self.failing = False
        self.allowed = []

    def allow(self, product_key, device_name, device_secret):
        if self.failing:
            raise ConnectionRefusedError("no broker")
        self.allowed.append((product_key, device_name, device_secret))


def secret_of(config):
    return config["device"]["deviceSecret"]


def test_first_access_makes_the_secret_and_marks_the_device(database):
    """A registered device becomes issued, with 128 random bits."""
    config = Issuer(database).issue(imei(0), PRODUCT)
    assert len(bytes.fromhex(secret_of(config))) == 16
    with database.reading() as session:
        device = devices.find(session, imei(0))
        assert device.state is State.ISSUED
        assert device.issued_at == device.credential.created_at
        assert device.issued_at.tzinfo is not None


def test_later_access_gives_the_same(database):
    """The product key may be left out where it is not needed."""
    issuer = Issuer(database)
    assert issuer.issue(imei(0), PRODUCT) == issuer.issue(imei(0))
    assert secret_of(issuer.issue(imei(0))) != secret_of(issuer.issue(imei(1)))


def test_fifty_at_once_get_one_secret(database):
    """Threads that all find no credential make one between them."""
    issuer = Issuer(database)
    with ThreadPoolExecutor(50) as pool:
        configs = list(pool.map(lambda _: issuer.issue(imei(0)), range(50)))
    assert all(config == configs[0] for config in configs)
    with database.reading() as session:
        assert session.scalar(select(func.count(Credential.id))) == 1


def test_unknown_devices_are_told_apart_for_the_operator(database):
    """Not there, elsewhere, or ambiguous: one exception, three reasons."""
    products.add(database, "Other", product_key="pk-other", mqtt_host="mqtt.test")
    issuer = Issuer(database)
    with pytest.raises(UnknownDevice, match="not registered"):
        issuer.issue(imei(99))
    with pytest.raises(UnknownDevice, match="another product"):
        issuer.issue(imei(0), "pk-other")
    devices.register(database, "pk-other", [devices.Row(1, imei(0), None)])
    with pytest.raises(UnknownDevice, match="several products"):
        issuer.issue(imei(0))
    assert issuer.issue(imei(0), "pk-other")["device"]["productKey"] == "pk-other"


def test_the_broker_is_told_once_and_before_the_reply(database):
    """Also when many requests find the device not announced yet."""
    accounts = Accounts()
    issuer = Issuer(database, accounts)
    with ThreadPoolExecutor(20) as pool:
        configs = list(pool.map(lambda _: issuer.issue(imei(0)), range(20)))
    assert accounts.allowed == [(PRODUCT, imei(0), secret_of(configs[0]))]


def test_a_failing_broker_costs_no_credential(database):
    """The request fails; the next one announces the same secret."""
    accounts = Accounts()
    issuer = Issuer(database, accounts)
    accounts.failing = True
    with pytest.raises(ConnectionRefusedError):
        issuer.issue(imei(0))
    accounts.failing = False
    with database.reading() as session:
        made = devices.find(session, imei(0)).credential.device_secret
    assert secret_of(issuer.issue(imei(0))) == made
    assert accounts.allowed == [(PRODUCT, imei(0), made)]


def test_devices_issued_without_a_broker_are_announced_later(database):
    """A broker that is added afterwards learns of each device at its next request."""
    config = Issuer(database).issue(imei(0))
    accounts = Accounts()
    assert Issuer(database, accounts).issue(imei(0)) == config
    assert accounts.allowed == [(PRODUCT, imei(0), secret_of(config))]


def test_mqtt_login_is_the_issued_secret_and_nothing_else(database):
    """Also not the empty password of a device that was never issued one."""
    secret = secret_of(Issuer(database).issue(imei(0)))
    user = f"{imei(0)}&{PRODUCT}"
    assert verify_mqtt(database, user, secret).imei == imei(0)
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
        assert verify_mqtt(database, name, password) is None

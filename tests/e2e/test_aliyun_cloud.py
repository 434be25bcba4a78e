"""The stand-in for Alibaba's cloud, judged by the cloud's own SDK."""

import json
import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e import aliyun_registry, hostile
from tests.e2e.aliyun_cloud import Cloud, running
from tests.e2e.aliyun_registry import Device
from tests.e2e.mqtt_wire import HOST, covers
from tests.patience import PATIENCE_S

SDK = Path(__file__).with_name("aliyun_sdk.py")
SECRET = "0123456789abcdef"


@pytest.fixture
def said() -> "queue.Queue[str]":
    """What the cloud says, each "event detail"."""
    return queue.Queue()


@pytest.fixture
def cloud(authority: trustme.CA, said: "queue.Queue[str]") -> Iterator[Cloud]:
    """A cloud that runs."""
    context = hostile.server_context(authority.issue_cert(HOST))
    with running(context, lambda *words: said.put(" ".join(words))) as made:
        yield made


class Sdk:
    """A process that is `device` by the SDK, as a context."""

    def __init__(
        self, cloud: Cloud, authority: trustme.CA, device: Device, **given: str
    ) -> None:
        job = {"product_key": device.product.key, "device_name": device.name}
        job |= {"device_secret": "", "endpoint": HOST, **given}
        job["ca"] = authority.cert_pem.bytes().decode()
        self._job = {**job, "port": cloud.server.port}

    def __enter__(self) -> "Sdk":
        self._process = subprocess.Popen(
            [sys.executable, str(SDK)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.send(self._job)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def send(self, line: Any) -> None:
        """Tell it something."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def heard(self, name: str) -> list[Any]:
        """The arguments of the next call back of that name."""
        assert self._process.stdout
        for line in self._process.stdout:
            found, *arguments = json.loads(line)
            if found == name:
                return arguments
        raise AssertionError(f"the SDK ended without {name}")


def test_the_sdk_registers_connects_and_adds(
    cloud: Cloud, authority: trustme.CA
) -> None:
    """With a secret that it was given over MQTT the SDK connects and is a gateway."""
    product = cloud.registry.product("a1B2c3D4e5F")
    gateway = cloud.registry.device(product, "gateway")
    sub = cloud.registry.device(product, "sub-1", SECRET)
    keys = {"product_secret": product.secret, "auth_type": "register"}
    with Sdk(cloud, authority, gateway, **keys) as sdk:
        assert sdk.heard("device_dynamic_register")[:2] == [0, gateway.secret]
    assert not gateway.active
    with Sdk(cloud, authority, gateway, device_secret=gateway.secret) as sdk:
        assert sdk.heard("connect")[1] == 0
        sdk.send([[product.key, sub.name, "wrong"]])
        assert sdk.heard("gateway_add_subdev_topo_reply")[1] == 401
        assert gateway.sub_devices == []
        sdk.send([[product.key, sub.name, sub.secret]])
        assert sdk.heard("gateway_add_subdev_topo_reply")[1] == 200
    assert gateway.active
    assert gateway.sub_devices == [(product.key, sub.name)]


def test_the_sdk_registers_for_a_token(cloud: Cloud, authority: trustme.CA) -> None:
    """A device that nobody has made beforehand is given a token, and gets in by it."""
    product = cloud.registry.product("a1B2c3D4e5F")
    device = Device(product, "new")
    keys = {"product_secret": product.secret, "auth_type": "regnwl"}
    with Sdk(cloud, authority, device, **keys) as sdk:
        found = sdk.heard("device_dynamic_register_nwl_reply")
    code, client_id, user, password = found
    assert code == 0
    keys = {"client_id": client_id, "username": user, "password": password}
    with Sdk(cloud, authority, device, **keys) as sdk:
        assert sdk.heard("connect")[1] == 0
    assert cloud.registry.find(product.key, device.name).active


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("secret", "the password is wrong, or none was given out"),
        ("product secret", "the signature is wrong"),
        ("not made", "no device 'stranger'"),
        ("active", "the device is active already"),
        ("switched off", "dynamic registration is off"),
    ],
)
def test_refusals(
    cloud: Cloud,
    authority: trustme.CA,
    said: "queue.Queue[str]",
    wrong: str,
    why: str,
) -> None:
    """Whom the cloud would refuse the stand-in refuses, and gives nothing."""
    product = cloud.registry.product("a1B2c3D4e5F")
    device = cloud.registry.device(product, "board", SECRET)
    keys = {"product_secret": product.secret, "auth_type": "register"}
    if wrong == "secret":
        keys = {"device_secret": SECRET.upper()}
    elif wrong == "product secret":
        keys["product_secret"] += "0"
    elif wrong == "not made":
        device = Device(product, "stranger")
    elif wrong == "active":
        device.active = True
    else:
        product.registration = False
    with Sdk(cloud, authority, device, **keys):
        assert said.get(timeout=PATIENCE_S) == f"refuses {why}"
    assert device.secrets in ([], [SECRET])


def test_the_published_signature() -> None:
    """The example that the cloud's own manual works through."""
    members = {
        "clientId": "12345",
        "deviceName": "device",
        "productKey": "pk",
        "timestamp": "789",
    }
    found = aliyun_registry.signature("hmacsha1", "secret", members)
    assert aliyun_registry.same(found, "FAFD82A3D602B37FB0FA8B7892F24A477F851A14")
    assert not aliyun_registry.same(found, "FAFD82A3D602B37FB0FA8B7892F24A477F851A15")


def test_topic_filters() -> None:
    """The examples of MQTT 3.1.1 §4.7."""
    assert covers("sport/tennis/#", "sport/tennis/player1/ranking")
    assert covers("sport/tennis/#", "sport/tennis")
    assert covers("sport/tennis/+", "sport/tennis/player1")
    assert not covers("sport/tennis/+", "sport/tennis/player1/ranking")
    assert not covers("sport/+", "sport")
    assert covers("+/+", "/finance")

"""The devices' side of the Gizwits sandbox, over HTTPS, and who its broker lets in.

What a device sends is signed and encrypted here by hashlib and cryptography.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from point.gizwits import authkey
from pointctl.clouds.gizwits.devices.sandbox.service import find_login_topics
from pointctl.clouds.gizwits.preauth.sandbox import keys
from pointctl.clouds.gizwits.preauth.sandbox.models import KeyMode
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.folder import DataFolder
from tests.host.preauth import (
    SECRET,
    Customer,
    Sandbox,
    client_of,
    customer,
    filled_database,
)
from tests.host.serving import PRODUCT, url_of

IMEI = "866123456789018"
NONCE = "ABCDEFGHIJ"
BODY = f"is_reset=1&random_code={'0' * 32}&lan_proto_ver=v5.0&user_id="
PLACE = "address=mqtt.test&port=8883&restart_time=0&tz_offset=8"


@dataclass
class World:
    """A sandbox that serves, and its database."""

    database: SandboxDatabase
    folder: DataFolder
    server: Sandbox
    http: httpx2.Client
    who: Customer

    @property
    def secret(self) -> str:
        return SECRET

    def auth_key(self, mac: str) -> str:
        with client_of(self.server, self.who) as client:
            return client.auth_key(self.who.pin, mac, self.who.auth_code).auth_key

    def network(self, mac: str, secret: str, key: str, body: str = BODY, **headers):
        signed = signs(mac, secret) | {"X-Sign-ETag": sha(f"{key},{NONCE},{body}")}
        path = f"/v2/products/{PRODUCT}/devices/{mac}/network"
        return self.http.post(path, content=body, headers=signed | headers)

    def bootstrap(self, did: str, mac: str, key: str):
        return self.http.get(f"/v2/devices/{did}/bootstrap", headers=signs(mac, key))

    def register(self, **form: str):
        text = "&".join(f"{name}={value}" for name, value in form.items())
        data = {"data": encrypted(self.secret, text)}
        return self.http.post(f"/dev/{PRODUCT}/device", data=data)

    def lets_in(self, client_id: str, username: str, password: str) -> Any:
        maker = keys.open_maker(self.folder, authkey.derive)
        login = client_id, username, password
        return find_login_topics(self.database, maker, *login)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def signs(mac: str, secret: str) -> dict[str, str]:
    token = sha(f"{PRODUCT},{mac},{secret},{NONCE}")
    return {
        "X-Sign-Method": "sha256",
        "X-Sign-Nonce": NONCE,
        "X-Sign-Token": token,
        "X-Trace-Id": "0" * 32,
    }


def _aes(secret: str) -> Cipher[modes.ECB]:
    return Cipher(algorithms.AES(bytes.fromhex(secret)), modes.ECB())


def encrypted(secret: str, text: str, filled: bool = True) -> str:
    data = text.encode()
    if filled:
        padder = padding.PKCS7(128).padder()
        data = padder.update(data) + padder.finalize()
    encryptor = _aes(secret).encryptor()
    return (encryptor.update(data) + encryptor.finalize()).hex()


def decrypted(secret: str, text: str) -> dict[str, str]:
    decryptor = _aes(secret).decryptor()
    data = decryptor.update(bytes.fromhex(text)) + decryptor.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    plain = (unpadder.update(data) + unpadder.finalize()).decode()
    return dict(pair.split("=") for pair in plain.split("&"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, tmp_path_factory, authority):
    """Devices are told to log in at mqtt.test."""
    folder = DataFolder(tmp_path_factory.mktemp("world") / "data")
    url = url_of(request, empty=True)
    with filled_database(folder, url) as database:
        server = Sandbox(folder.path, authority, "--mqtt", "mqtt.test:8883", url=url)
        with server.client() as http:
            yield World(database, folder, server, http, customer(database, 100))
        server.stop()


def refused(reply, status: int, code: int) -> None:
    assert reply.status_code == status, reply.text
    assert reply.json()["error_code"] == code


@pytest.mark.parametrize("by", ["product secret", "auth_key"])
def test_a_life_with_an_auth_key(world, by):
    """A did for ever, where to log in, and in; each token under the key."""
    mac = "02004c4f4f01" if by == "auth_key" else "02004c4f4f02"
    key = world.auth_key(mac)
    secret = key if by == "auth_key" else world.secret
    told = world.network(mac, secret, key)
    found = re.fullmatch(re.escape(PLACE) + "&device_id=([0-9A-Za-z]{8})", told.text)
    assert found, told.text
    did = found[1]
    assert world.network(mac, secret, key).text == told.text
    assert world.bootstrap(did, mac, key).text == PLACE
    user = f"{did}|signmethod=sha256,signnonce={NONCE}"
    token = sha(f"{PRODUCT},{mac},{key},{NONCE}")
    topics = world.lets_in(did, user, token)
    assert topics.may_publish(f"dev2app/{did}")
    assert topics.may_subscribe(f"app2dev/{did}/#")
    assert topics.may_publish(f"{PRODUCT}/{mac}/up")
    assert not topics.may_publish("dev2app/another")
    for wrong in (
        (did, user, sha("another")),
        (did, user.replace("ABC", "XYZ"), token),
        ("another1", user, token),
        (did, did, token),
        (did, user, ""),
    ):
        assert world.lets_in(*wrong) is None


def test_who_is_refused(world):
    """Unknown devices, other signatures, other bodies; nothing is made of them."""
    mac = "02004c4f4f03"
    refused(world.network(mac, world.secret, "0" * 32), 404, 9014)
    key = world.auth_key(mac)
    refused(world.network(mac, "0" * 32, key), 400, 9044)
    refused(world.network(mac, world.secret, "0" * 32), 400, 9044)
    signature = {"X-Sign-Method": "md5"}
    refused(world.network(mac, world.secret, key, **signature), 400, 9044)
    refused(world.network(mac, world.secret, key, "is_reset=1"), 400, 9015)
    refused(world.network(mac, world.secret, key, "<html>"), 400, 9015)
    path = f"/v2/products/pk-another/devices/{mac}/network"
    headers = signs(mac, key) | {"X-Sign-ETag": sha("x")}
    refused(world.http.post(path, content=BODY, headers=headers), 404, 9014)
    did = world.network(mac, world.secret, key).text[-8:]
    refused(world.bootstrap("12345678", mac, key), 404, 9014)
    refused(world.bootstrap(did, mac, "0" * 32), 400, 9044)
    for path in ("/v2/devices/a|b/bootstrap", "/v2/devices/x/bootstrap"):
        assert world.http.get(path, headers=signs(mac, key)).status_code == 400
    assert world.http.get(f"/v2/devices/{did}/bootstrap").status_code == 400


def test_a_key_that_the_device_computes(world):
    """Entered in advance, by our algorithm; this sandbox was started without it."""
    who = customer(world.database, mode=KeyMode.DEVICE)
    made = authkey.derive(world.secret, PRODUCT, IMEI)
    with client_of(world.server, who) as client, pytest.raises(Exception, match="Mode"):
        client.auth_key(who.pin, IMEI, who.auth_code, made)
    refused(world.network(IMEI, world.secret, made), 404, 9014)


@pytest.mark.parametrize("filled", [True, False])
def test_the_older_cloud(world, filled):
    """Encrypted both ways, filled or not; a new passcode takes the old one's place."""
    mac = "02004c4f4f0a" if filled else "02004c4f4f0b"
    text = f"mac={mac}&passcode=ABCDEFGHIJ&type=normal"  # three whole blocks
    data = {"data": encrypted(world.secret, text, filled)}
    made = world.http.post(f"/dev/{PRODUCT}/device", data=data)
    assert made.status_code == 201
    (did,) = decrypted(world.secret, made.text).values()
    assert re.fullmatch("[0-9A-Za-z]{22}", did)
    sealed = encrypted(world.secret, did)
    told = world.http.get(f"/dev/{PRODUCT}/device", params={"did": sealed})
    found = decrypted(world.secret, told.text)
    assert (found["host"], found["port"]) == ("mqtt.test", "8883")
    assert world.lets_in(did, did, "ABCDEFGHIJ").may_publish(f"dev2app/{did}/app")
    assert world.lets_in(did, did, "ABCDEFGHIX") is None
    again = world.register(mac=mac, passcode="KLMNOPQRST", type="normal")
    assert decrypted(world.secret, again.text) == {"did": did}
    assert world.lets_in(did, did, "ABCDEFGHIJ") is None
    assert world.lets_in(did, did, "KLMNOPQRST")
    user = f"{did}|signmethod=sha256,signnonce={NONCE}"
    assert world.lets_in(did, user, sha(f"{PRODUCT},{mac},KLMNOPQRST,{NONCE}")) is None


def test_what_is_no_registration(world):
    """Another secret, another form, another product, too long."""
    good = {"mac": "02004c4f4f0c", "passcode": "ABCDEFGHIJ", "type": "normal"}
    for wrong in (
        {"mac": ""},
        {"mac": "a/b"},
        {"passcode": ""},
        {"type": "other"},
        {"mac": "x" * 33},
        {"passcode": "x" * 65},
    ):
        refused(world.register(**(good | wrong)), 400, 9015)
    path = f"/dev/{PRODUCT}/device"
    data = {"data": encrypted("0" * 32, "mac=1&passcode=2&type=normal")}
    refused(world.http.post(path, data=data), 400, 9015)
    for text in ("", "zz" * 16, "ab" * 15, "ab" * 2000):
        assert world.http.post(path, data={"data": text}).status_code == 400
    refused(world.http.post("/dev/pk-another/device", data=data), 404, 9014)
    unknown = {"did": encrypted(world.secret, "a" * 22)}
    refused(world.http.get(path, params=unknown), 404, 9014)


def test_the_log_tells_no_secret(world):
    """Who asked and what came of it; no key, no passcode, no token."""
    mac = "02004c4f4f0d"
    key = world.auth_key(mac)
    world.network(mac, world.secret, key)
    world.register(mac=mac, passcode="SECRETCODE", type="normal")
    log = "".join(world.server.lines)
    assert '"event": "access"' in log
    for secret in (key, "SECRETCODE", world.secret, sha(f"{PRODUCT},{mac},{key},")):
        assert secret not in log

"""Who is who in the stand-in for Alibaba's cloud: logins and registrations, judged.

Every signature is made anew from the standard library. The formats are those of the
SDKs (iotkit-embedded v3.0.1 and v3.2.0, aliyun-iot-linkkit 1.2.13) and of the cloud's
pages on MQTT connections and dynamic registration.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.mqtt_wire import Client

_HASHES = {"hmacmd5": "md5", "hmacsha1": "sha1", "hmacsha256": "sha256"}
# CONNACK (MQTT 3.1.1 table 3.1).
_IDENTIFIER, _PASSWORD, _UNAUTHORISED = 2, 4, 5
# The cloud's own, in replies.
OK, AUTH_ERROR, PARAMETER_ERROR = 200, 401, 460
NO_DEVICE, NO_METHOD = 6100, 6450
_NO_PRODUCT, _DISABLED, _ACTIVE, _BAD_SIGNATURE = 6250, 6288, 6289, 6600


class Refusal(Exception):
    """The cloud says no, with a code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass
class Product:
    """A product as its owner has made it on the console."""

    key: str
    secret: str = field(default_factory=lambda: secrets.token_hex(8))
    registration: bool = True  # dynamic registration is switched on
    instance_id: str | None = None


@dataclass
class Device:
    """What the cloud knows of a device."""

    product: Product
    name: str
    secrets: list[str] = field(default_factory=list)  # given out; the last one counts
    active: bool = False  # it has connected with it
    client_id: str | None = None  # of a token, which then stands for the secret
    randoms: list[str] = field(default_factory=list)
    online: Client | None = None
    heard: list[tuple[str, Any]] = field(default_factory=list)  # (topic's end, params)
    tokens: list[str] = field(default_factory=list)  # reported to be bound by
    resets: int = 0
    sub_devices: list[tuple[str, str]] = field(default_factory=list)

    @property
    def secret(self) -> str:
        """What it logs in with."""
        return self.secrets[-1] if self.secrets else ""

    @property
    def prefix(self) -> str:
        """What Alink topics begin with."""
        return f"/sys/{self.product.key}/{self.name}/"

    @property
    def custom(self) -> str:
        """What the application's topics begin with."""
        return f"/{self.product.key}/{self.name}/user/"

    def owns(self, topic: str) -> bool:
        """Whether it may publish and subscribe to `topic`."""
        return topic.startswith((self.prefix, self.custom))


class Registry:
    """Products and devices; refuses whom the cloud would refuse."""

    def __init__(self) -> None:
        self._products: dict[str, Product] = {}
        self._devices: dict[tuple[str, str], Device] = {}

    def product(self, key: str, **given: Any) -> Product:
        """Make a product."""
        return self._products.setdefault(key, Product(key, **given))

    def device(self, product: Product, name: str, *given: str) -> Device:
        """The device of that name, which is made if it was not there."""
        made = Device(product, name, [*given])
        return self._devices.setdefault((product.key, name), made)

    def find(self, key: str, name: str) -> Device:
        """The device of that name. Raises Refusal."""
        if (key, name) not in self._devices:
            raise Refusal(NO_DEVICE, f"no device {name!r}")
        return self._devices[key, name]

    def judge(self, client: Client) -> None:
        """Let a client in as a device, or for the `purpose` of registering it.

        Raises Refusal with a code for CONNACK.
        """
        if not 30 <= client.keep_alive <= 1200:
            raise Refusal(_UNAUTHORISED, f"keep-alive {client.keep_alive} s")
        bare, _, rest = client.id.partition("|")
        if not 0 < len(bare) <= 64 or not rest.endswith("|") or rest.count("|") != 1:
            raise Refusal(_IDENTIFIER, f"client id {client.id!r}")
        given = dict(each.partition("=")[::2] for each in rest[:-1].split(","))
        name, _, key = client.user.partition("&")
        if key not in self._products:
            raise Refusal(_PASSWORD, "no such product")
        kind = given.get("authType", "")
        try:
            if kind in ("register", "regnwl"):
                client.purpose = kind
                client.device = self._registering(client, name, key, given)
            else:
                client.device = self.find(key, name)
                self._login(client, bare, given)
        except Refusal as refusal:
            code = _UNAUTHORISED if client.purpose else _PASSWORD
            raise Refusal(code, str(refusal)) from None

    def _login(self, client: Client, bare: str, given: dict[str, str]) -> None:
        device = client.device
        mode = given.get("securemode")
        if given.get("authType") == "connwl":
            if not device.client_id or (bare, mode) != (device.client_id, "-2"):
                raise Refusal(_PASSWORD, "not the client id of the token")
            expected = device.secret
        else:
            if device.client_id or "authType" in given or mode != "2":
                raise Refusal(_PASSWORD, f"authType or securemode {mode}")
            members = {
                "clientId": bare,
                "deviceName": device.name,
                "productKey": device.product.key,
            }
            if "timestamp" in given:
                members["timestamp"] = given["timestamp"]
            method = given.get("signmethod", "hmacmd5")
            expected = signature(method, device.secret, members)
        if not device.secret or not same(expected, client.password):
            raise Refusal(_PASSWORD, "the password is wrong, or none was given out")

    def _registering(
        self, client: Client, name: str, key: str, given: dict[str, str]
    ) -> Device:
        instance = self._products[key].instance_id
        mode = "-2" if instance else "2"
        if (given.get("instanceId"), given.get("securemode")) != (instance, mode):
            raise Refusal(_UNAUTHORISED, "securemode or instance")
        fields = {"productKey": key, "deviceName": name, "sign": client.password}
        fields["random"] = given.get("random", "")
        fields["signMethod"] = given.get("signmethod", "")
        return self.register(fields, unknown=client.purpose == "regnwl")

    def register(self, fields: dict[str, str], unknown: bool = False) -> Device:
        """Judge the members of a registration; perhaps of an `unknown` device too.

        Raises Refusal with the cloud's code.
        """
        names = ("productKey", "deviceName", "random")
        if set(fields) != {*names, "sign", "signMethod"} or not all(fields.values()):
            raise Refusal(PARAMETER_ERROR, f"members {sorted(fields)}")
        product = self._products.get(fields["productKey"])
        if product is None:
            raise Refusal(_NO_PRODUCT, "no such product")
        members = {name: fields[name] for name in names}
        expected = signature(fields["signMethod"], product.secret, members)
        if not same(expected, fields["sign"]):
            raise Refusal(_BAD_SIGNATURE, "the signature is wrong")
        if not product.registration:
            raise Refusal(_DISABLED, "dynamic registration is off")
        if unknown:
            self.device(product, fields["deviceName"])
        device = self.find(product.key, fields["deviceName"])
        if device.active:
            raise Refusal(_ACTIVE, "the device is active already")
        if fields["random"] in device.randoms:  # the cloud would let it pass
            raise Refusal(_BAD_SIGNATURE, "a random is used twice")
        device.randoms.append(fields["random"])
        return device


def signature(method: str, secret: str, members: dict[str, str]) -> str:
    """The lower hex HMAC of names and values, in order of the names.

    Raises Refusal for a method that the cloud does not have.
    """
    if method.lower() not in _HASHES:
        raise Refusal(PARAMETER_ERROR, f"no method {method!r}")
    text = "".join(name + members[name] for name in sorted(members))
    digest = _HASHES[method.lower()]
    return hmac.new(secret.encode(), text.encode(), digest).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two signatures are the same; hex may be in either case."""
    return hmac.compare_digest(one.lower().encode(), other.lower().encode())


def channel_key(secret: str, random: str) -> str:
    """What the cloud derives for a local channel, 32 hex digits (document 001)."""
    text = secret.encode() + b"," + bytes.fromhex(random)
    return hashlib.sha256(text).hexdigest()[:32]

"""What goes into a key or a signature, byte for byte and in order, but for secrets."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from point import mqttauth
from point.aliyun import cipher
from point.aliyun import login as aliyun

if TYPE_CHECKING:
    from point.credentials import Device, Options


@dataclass(frozen=True)
class Part:
    """A piece of what is hashed. A secret is shown as its length."""

    name: str
    value: str
    enters_as: str
    size: int  # bytes

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "value": self.value,
            "enters_as": self.enters_as,
            "bytes": self.size,
        }


@dataclass(frozen=True)
class Signed:
    """A CONNECT, and how its password was made of `parts`."""

    client_id: str
    user: str
    password: str = field(repr=False)
    formula: str
    parts: Sequence[Part]

    def as_dict(self, secret: str) -> dict[str, Any]:
        """For programs; a password that is the secret is shown as its length."""
        shown = hidden(secret) if self.password == secret else self.password
        return {
            "formula": self.formula,
            "parts": [part.as_dict() for part in self.parts],
            "client_id": self.client_id,
            "user": self.user,
            "password": shown,
        }


def table(parts: Sequence[Part]) -> str:
    """The parts for people. Nothing is cut: they compare it byte by byte."""
    rows = [("name", "value", "enters as", "bytes")]
    rows += [(part.name, part.value, part.enters_as, str(part.size)) for part in parts]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [map(str.ljust, row, widths) for row in rows]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def hidden(secret: str) -> str:
    """What is shown of a secret."""
    return f"({len(secret)} characters)"


def provisioning_parts(
    cipher_type: int, secret: str, random: str, mac: str | None
) -> list[Part]:
    """What cipher.provisioning_key() of point hashes, which checks the arguments."""
    comma = Part("comma", ",", "1 byte 2c", 1)
    parts = [_secret("secret", secret), comma]
    if cipher_type >= 6:
        digits = "".join(char for char in mac or "" if char not in ":-.")
        parts += [Part("mac", mac or "", f"6 bytes {digits.lower()}", 6), comma]
    return [*parts, Part("random", random, "16 bytes, hex decoded", 16)]


def provisioning_key(
    cipher_type: int, secret: str, random: str, mac: str | None
) -> tuple[list[Part], bytes]:
    """The 32 bytes of SHA-256, and what they were made of. Raises PointError."""
    key = cipher.provisioning_key(cipher_type, secret, random, mac)
    return provisioning_parts(cipher_type, secret, random, mac), key


def login(
    auth: str,
    device: "Device",
    connect: "Options",
    timestamp: str | None = aliyun.FIXED_TIME,
) -> Signed:
    """How a device logs in by the scheme `auth`, with a device_config's two halves.

    `timestamp` is Alibaba's. Raises PointError as the scheme does.
    """
    if auth == "aliyun":
        return _aliyun(device, connect, timestamp)
    client_id, user, password = mqttauth.SCHEMES[auth](device, connect, os.urandom)
    formula, parts = "nothing is signed: the password is the secret itself", []
    if auth == "gizwits":
        formula, parts = "hex(SHA-256(parts))", _gizwits_parts(device, user)
    return Signed(client_id, user, password, formula, parts)


def _aliyun(device: "Device", connect: "Options", timestamp: str | None) -> Signed:
    client_id, user, password = aliyun.login(device, connect, timestamp)
    members = {
        "clientId": client_id.partition("|")[0],
        "deviceName": device["deviceName"],
        "productKey": device["productKey"],
    }
    if timestamp is not None:
        members["timestamp"] = timestamp
    parts = [
        Part(name, members[name], name + members[name], len(name + members[name]))
        for name in sorted(members)
    ]
    method = connect.get("signMethod", aliyun.METHODS[-1]).removeprefix("hmac").upper()
    secret = hidden(device["deviceSecret"] or "")
    formula = f"hex(HMAC-{method}(deviceSecret {secret}, parts))"
    return Signed(client_id, user, password, formula, parts)


def _gizwits_parts(device: "Device", user: str) -> list[Part]:
    mac = "".join(char for char in device["deviceName"] if char not in ":-").lower()
    nonce = user.rpartition("=")[2]
    comma = Part("comma", ",", ",", 1)
    return [
        _text("productKey", device["productKey"]),
        comma,
        Part("mac", device["deviceName"], mac, len(mac)),
        comma,
        _secret("auth_key", device["deviceSecret"] or ""),
        comma,
        _text("nonce", nonce),
    ]


def _text(name: str, value: str) -> Part:
    return Part(name, value, value, len(value.encode()))


def _secret(name: str, secret: str) -> Part:
    return Part(name, hidden(secret), "text, not decoded", len(secret.encode()))

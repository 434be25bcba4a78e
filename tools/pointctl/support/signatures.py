"""Which bytes go into a key or a signature, in their order; secrets are hidden."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from point import mqttauth
from point.aliyun import cipher
from point.aliyun import login as aliyun

if TYPE_CHECKING:
    from point.credentials import Device, Options


class PartAsJson(TypedDict):
    """A part, as commands print it."""

    name: str
    value: str
    enters_as: str
    bytes: int


class LoginAsJson(TypedDict):
    """A login, as commands print it."""

    formula: str
    parts: list[PartAsJson]
    client_id: str
    user: str
    password: str


@dataclass(frozen=True)
class SignedPart:
    """A part of what is hashed. A secret is shown as its length."""

    name: str
    value: str
    enters_as: str
    size: int  # bytes

    def as_dict(self) -> "PartAsJson":
        """The part for programs."""
        return {
            "name": self.name,
            "value": self.value,
            "enters_as": self.enters_as,
            "bytes": self.size,
        }


@dataclass(frozen=True)
class SignedLogin:
    """What a device sends in its CONNECT, and the `parts` its password is made of."""

    client_id: str
    user: str
    password: str = field(repr=False)
    formula: str
    parts: Sequence[SignedPart]

    def as_dict(self, secret: str) -> "LoginAsJson":
        """The login for programs; a password that is the secret is hidden."""
        shown = hide(secret) if self.password == secret else self.password
        return {
            "formula": self.formula,
            "parts": [part.as_dict() for part in self.parts],
            "client_id": self.client_id,
            "user": self.user,
            "password": shown,
        }


def format_table(parts: Sequence[SignedPart]) -> str:
    """The parts as a table. Nothing is cut: people compare it byte by byte."""
    rows = [("name", "value", "enters as", "bytes")]
    rows += [(part.name, part.value, part.enters_as, str(part.size)) for part in parts]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [map(str.ljust, row, widths) for row in rows]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def hide(secret: str) -> str:
    """The text that is shown in place of a secret."""
    return f"({len(secret)} characters)"


def provisioning_parts(
    cipher_type: int, secret: str, random: str, mac: str | None
) -> list[SignedPart]:
    """What cipher.provisioning_key() of point hashes; that checks the arguments."""
    comma = SignedPart("comma", ",", "1 byte 2c", 1)
    parts = [_secret("secret", secret), comma]
    if cipher_type >= 6:
        digits = "".join(char for char in mac or "" if char not in ":-.")
        parts += [SignedPart("mac", mac or "", f"6 bytes {digits.lower()}", 6), comma]
    return [*parts, SignedPart("random", random, "16 bytes, hex decoded", 16)]


def provisioning_key(
    cipher_type: int, secret: str, random: str, mac: str | None
) -> tuple[list[SignedPart], bytes]:
    """The parts, and the 32 bytes of SHA-256 over them. Raises PointError."""
    key = cipher.provisioning_key(cipher_type, secret, random, mac)
    return provisioning_parts(cipher_type, secret, random, mac), key


def sign_login(
    auth: str,
    device: "Device",
    connect: "Options",
    timestamp: str | None = aliyun.FIXED_TIME,
) -> SignedLogin:
    """Make the login of a device by the scheme `auth`.

    `device` and `connect` are the two halves of a device_config; `timestamp` is for
    Alibaba. Raises PointError as the scheme does.
    """
    if auth == "aliyun":
        return _aliyun(device, connect, timestamp)
    client_id, user, password = mqttauth.SCHEMES[auth](device, connect, os.urandom)
    formula, parts = "nothing is signed: the password is the secret itself", []
    if auth == "gizwits":
        formula, parts = "hex(SHA-256(parts))", _gizwits_parts(device, user)
    return SignedLogin(client_id, user, password, formula, parts)


def _aliyun(device: "Device", connect: "Options", timestamp: str | None) -> SignedLogin:
    client_id, user, password = aliyun.login(device, connect, timestamp)
    members = {
        "clientId": client_id.partition("|")[0],
        "deviceName": device["deviceName"],
        "productKey": device["productKey"],
    }
    if timestamp is not None:
        members["timestamp"] = timestamp
    parts = [
        SignedPart(name, members[name], name + members[name], len(name + members[name]))
        for name in sorted(members)
    ]
    method = connect.get("signMethod", aliyun.METHODS[-1]).removeprefix("hmac").upper()
    secret = hide(device["deviceSecret"] or "")
    formula = f"hex(HMAC-{method}(deviceSecret {secret}, parts))"
    return SignedLogin(client_id, user, password, formula, parts)


def _gizwits_parts(device: "Device", user: str) -> list[SignedPart]:
    mac = "".join(char for char in device["deviceName"] if char not in ":-").lower()
    nonce = user.rpartition("=")[2]
    comma = SignedPart("comma", ",", ",", 1)
    return [
        _text("productKey", device["productKey"]),
        comma,
        SignedPart("mac", device["deviceName"], mac, len(mac)),
        comma,
        _secret("auth_key", device["deviceSecret"] or ""),
        comma,
        _text("nonce", nonce),
    ]


def _text(name: str, value: str) -> SignedPart:
    return SignedPart(name, value, value, len(value.encode()))


def _secret(name: str, secret: str) -> SignedPart:
    return SignedPart(name, hide(secret), "text, not decoded", len(secret.encode()))

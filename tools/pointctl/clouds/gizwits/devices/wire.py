"""What devices send and are answered: signed headers, and forms as text.

Boards' own code (point/gizwits/) signs, parses and encrypts
here, too. The older cloud's forms are encrypted under the product secret.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from point import credentials
from point.errors import PointError
from point.gizwits import form as gizwits_form
from point.gizwits import login
from pointctl.clouds.gizwits.devices.errors import InvalidForm, WrongSignature
from pointctl.clouds.gizwits.preauth.names import normalize_mac

AGENT_DID = "^[0-9A-Za-z]{8}$"
PRODUCT_KEY = "^[0-9A-Za-z_-]{1,64}$"
ENCRYPTED = "^[0-9A-Fa-f]{32,2048}$"
NONCE = "^[0-9A-Za-z]{1,64}$"
AGENT_DID_LENGTH, CLASSIC_DID_LENGTH = 8, 22  # characters

_METHOD = "sha256"
_ONBOARDING = {"is_reset", "random_code", "lan_proto_ver", "user_id"}
_DEVICE_TYPES = ("normal", "center_control")
_LONGEST_MAC, _LONGEST_PASSCODE = 32, 64
T = TypeVar("T")


@dataclass(frozen=True)
class MqttAddress:
    """Where devices are told to log in by MQTT."""

    host: str
    port: int

    def agent_form(self) -> str:
        """The answer to a device with an auth_key."""
        return f"address={self.host}&port={self.port}&restart_time=0&tz_offset=8"

    def classic_form(self, now: datetime) -> str:
        """The answer to a device of the older cloud, before it is encrypted."""
        return f"host={self.host}&port={self.port}&server_ts={int(now.timestamp())}"


@dataclass(frozen=True)
class SignedHeaders:
    """The X-Sign headers of a request."""

    method: str
    nonce: str
    token: str = field(repr=False)
    etag: str | None = None

    def has_token_under(self, product_key: str, mac: str, secret: str) -> bool:
        """Whether the token was made with this secret."""
        expected = login.token(product_key, mac, secret, self.nonce)
        is_equal = hmac.compare_digest(expected.encode(), self.token.encode())
        return self.method == _METHOD and is_equal

    def check_body(self, auth_key: str, body: bytes) -> None:
        """Raise WrongSignature unless the ETag signs this body."""
        expected = login.etag(auth_key, self.nonce, body)
        if not hmac.compare_digest(expected.encode(), (self.etag or "").encode()):
            raise WrongSignature


@dataclass(frozen=True)
class ClassicRegistration:
    """What a device of the older cloud registers with."""

    mac: str
    passcode: str = field(repr=False)


def make_token(product_key: str, mac: str, auth_key: str, nonce: str) -> str:
    """The MQTT password of a device with an auth_key."""
    token: str = login.token(product_key, mac, auth_key, nonce)
    return token


def check_onboarding(body: bytes) -> None:
    """Raise InvalidForm unless this is what a device without a did sends."""
    if not _parse_form(body).keys() >= _ONBOARDING:
        raise InvalidForm("of onboarding")


def parse_registration(product_secret: str, encrypted: str) -> ClassicRegistration:
    """The registration in an encrypted form. Raises InvalidForm."""
    form = _parse_form(decrypt(product_secret, encrypted))
    try:
        mac = normalize_mac(form.get("mac", ""))
        mac = credentials.word("mac", mac, _LONGEST_MAC)
        passcode = form.get("passcode", "")
        passcode = credentials.text("passcode", passcode, _LONGEST_PASSCODE)
    except PointError as error:
        raise InvalidForm(error.detail) from None
    if form.get("type") not in _DEVICE_TYPES:
        raise InvalidForm("type")
    return ClassicRegistration(mac, passcode)


def can_encrypt(product_secret: str) -> bool:
    """Whether this secret is an AES key: 32 hex digits."""
    try:
        gizwits_form.sealed(product_secret, "")
    except PointError:
        return False
    return True


def encrypt(product_secret: str, text: str) -> str:
    """A form of the older cloud, as hex."""
    return str(gizwits_form.sealed(product_secret, text))


def decrypt(product_secret: str, encrypted: str) -> bytes:
    """What an encrypted form holds. Raises InvalidForm."""
    text = _or_invalid(gizwits_form.opened, product_secret, encrypted.encode())
    assert isinstance(text, bytes)
    return text


def _parse_form(body: bytes) -> dict[str, str]:
    return dict(_or_invalid(gizwits_form.parse, body))


def _or_invalid(call: Callable[..., T], *arguments: object) -> T:
    try:
        return call(*arguments)
    except PointError as error:
        raise InvalidForm(error.detail) from None

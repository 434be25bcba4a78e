"""What the sandbox tells devices, and who it lets in; both of Gizwits' generations.

What the cloud's own firmware shows of it, and what is our definition: docs/gizwits.md.
"""

import hmac
import re
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from point import credentials
from point.errors import PointError
from point.gizwits import form as gizwitsform
from point.gizwits import login as gizwits
from pointctl.clouds.gizwits.devices.sandbox.models import Generation, KnownDevice
from pointctl.clouds.gizwits.preauth.errors import ModeInvalid
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker, check_of
from pointctl.clouds.gizwits.preauth.sandbox.models import SandboxDevice, SandboxPackage
from pointctl.errors import PointctlError
from pointctl.registry.accounts.operators import digest
from pointctl.registry.devices import products
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Product
from pointctl.registry.topics import Topics, own_topics

_USER = re.compile(r"([0-9A-Za-z]{8})\|signmethod=sha256,signnonce=([0-9A-Za-z]{1,64})")
_DIDS = {Generation.AGENT: 8, Generation.CLASSIC: 22}  # characters
_ONBOARDING = {"is_reset", "random_code", "lan_proto_ver", "user_id"}
T = TypeVar("T")
_KINDS = ("normal", "center_control")


class Rejected(PointctlError):
    """A device is refused: an HTTP status, and a code of the Open API's table."""

    def __init__(self, status: int, code: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


def _unknown() -> Rejected:
    return Rejected(404, 9014, "device not found")


def _unsigned() -> Rejected:
    return Rejected(400, 9044, "the signature is wrong")


def _invalid(what: str) -> Rejected:
    return Rejected(400, 9015, f"form invalid: {what}")


@dataclass(frozen=True)
class Place:
    """Where devices are told to log in by MQTT."""

    host: str
    port: int


@dataclass(frozen=True)
class Signs:
    """The X-Sign headers of a request."""

    method: str
    nonce: str
    token: str = field(repr=False)
    etag: str | None = None


class Cloud:
    """The devices' side on one registry. Threads may share it."""

    def __init__(self, database: Database, maker: KeyMaker, place: Place) -> None:
        self._database = database
        self._maker = maker
        self._place = place

    def bootstrap(self, did: str, signs: Signs) -> str:
        """Where a device with an auth_key logs in. Raises Rejected."""
        with self._database.snapshot() as session:
            known = _known(session, did, Generation.AGENT)
            if known is None:
                raise _unknown()
            key = self._auth_key(session, known.product_key, known.mac)
        if key is None:
            raise _unknown()
        _check_token(signs, known.product_key, known.mac, key)
        return self._told("address")

    def network(self, product_key: str, mac: str, signs: Signs, body: bytes) -> str:
        """The same for one that has no did yet, which it gets. Raises Rejected.

        The token is under the product secret, as the cloud's own firmware makes it, or
        under the auth_key; the body is signed by the auth_key either way.
        """
        mac = gizwits.bare(mac)
        with self._database.exclusive() as session:
            key = self._auth_key(session, product_key, mac)
            if key is None:
                raise _unknown()
            secret = self._product_secret(session, product_key)
            try:
                _check_token(signs, product_key, mac, secret or key)
            except Rejected:
                _check_token(signs, product_key, mac, key)
            signed = gizwits.etag(key, signs.nonce, body)
            if not hmac.compare_digest(signed.encode(), (signs.etag or "").encode()):
                raise _unsigned()
            if not _form(body).keys() >= _ONBOARDING:
                raise _invalid("of onboarding")
            did = _enter(session, product_key, mac, Generation.AGENT).did
        return f"{self._told('address')}&device_id={did}"

    def register(self, product_key: str, data: str) -> str:
        """The encrypted did of a device that encrypts its passcode. Raises Rejected."""
        with self._database.exclusive() as session:
            secret = self._classic_secret(session, product_key)
            form = _form(_opened(secret, data))
            mac, passcode = form.get("mac", ""), form.get("passcode", "")
            try:
                mac = credentials.word("mac", gizwits.bare(mac), 32)
                credentials.text("passcode", passcode, 64)
            except PointError as error:
                raise _invalid(error.detail) from None
            if form.get("type") not in _KINDS:
                raise _invalid("type")
            known = _enter(session, product_key, mac, Generation.CLASSIC)
            known.passcode_hash = digest(passcode)
        return str(gizwitsform.sealed(secret, f"did={known.did}"))

    def provision(self, product_key: str, sealed_did: str) -> str:
        """Where a device of the older cloud logs in, encrypted. Raises Rejected."""
        with self._database.snapshot() as session:
            secret = self._classic_secret(session, product_key)
            did = _opened(secret, sealed_did).decode(errors="replace")
            known = _known(session, did, Generation.CLASSIC)
        if known is None or known.product_key != product_key:
            raise _unknown()
        return str(gizwitsform.sealed(secret, self._told("host")))

    def _told(self, name: str) -> str:
        place = self._place
        rest = "restart_time=0&tz_offset=8" if name == "address" else "server_ts="
        if name == "host":
            rest += str(int(datetime.now(UTC).timestamp()))
        return f"{name}={place.host}&port={place.port}&{rest}"

    def _auth_key(self, session: Session, product_key: str, mac: str) -> str | None:
        return auth_key(session, self._database, self._maker, product_key, mac)

    def _product_secret(self, session: Session, product_key: str) -> str | None:
        product = session.get(Product, product_key)
        return products.secret(self._database.vault, product) if product else None

    def _classic_secret(self, session: Session, product_key: str) -> str:
        secret = self._product_secret(session, product_key)
        try:
            gizwitsform.sealed(secret or "", "")
        except PointError:
            raise Rejected(404, 9014, "no product that encrypts") from None
        assert secret is not None
        return secret


def judge(
    database: Database, maker: KeyMaker, client_id: str, username: str, password: str
) -> Topics | None:
    """The topics of a device that logs in by MQTT; None for all others."""
    signed = _USER.fullmatch(username)
    did = signed[1] if signed else username
    generation = Generation.AGENT if signed else Generation.CLASSIC
    if client_id != did:
        return None
    with database.snapshot() as session:
        known = _known(session, did, generation)
        if known is None:
            return None
        if signed:
            key = auth_key(session, database, maker, known.product_key, known.mac)
            names = known.product_key, known.mac
            right = key and gizwits.token(*names, key, signed[2])
            given = password
        else:
            right, given = known.passcode_hash, digest(password)
    if not right or not hmac.compare_digest(right.encode(), given.encode()):
        return None
    return own_topics("gizwits", known.product_key, known.mac, did)


def auth_key(
    session: Session, database: Database, maker: KeyMaker, product_key: str, mac: str
) -> str | None:
    """The key that device authorisation gave this device; None if it gave none."""
    query = select(SandboxDevice).where(
        SandboxDevice.product_key == product_key, SandboxDevice.mac == mac
    )
    device = session.scalar(query)
    if device is None:
        return None
    package = session.get_one(SandboxPackage, device.package_id)
    product = session.get_one(Product, product_key)
    secret = products.secret(database.vault, product)
    try:
        key = maker.make(package.mode, product_key, secret, mac)
    except ModeInvalid:
        return None
    return key if check_of(key) == device.key_check else None


def _known(session: Session, did: str, generation: Generation) -> KnownDevice | None:
    if not re.fullmatch("[0-9A-Za-z]{1,22}", did):
        return None
    known = session.get(KnownDevice, did)
    return known if known and known.generation == generation else None


def _enter(
    session: Session, product_key: str, mac: str, generation: Generation
) -> KnownDevice:
    """The device, which is made if it is not there."""
    query = select(KnownDevice).where(
        KnownDevice.product_key == product_key,
        KnownDevice.mac == mac,
        KnownDevice.generation == generation,
    )
    now = datetime.now(UTC)
    known = session.scalar(query)
    if known is None:
        known = KnownDevice(
            did=_random_did(_DIDS[generation]),
            product_key=product_key,
            mac=mac,
            generation=generation,
            created_at=now,
        )
        session.add(known)
    known.registered_at = now
    return known


def _random_did(length: int) -> str:
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _check_token(signs: Signs, product_key: str, mac: str, secret: str) -> None:
    expected = gizwits.token(product_key, mac, secret, signs.nonce)
    same = hmac.compare_digest(expected.encode(), signs.token.encode())
    if signs.method != "sha256" or not same:
        raise _unsigned()


def _form(body: bytes) -> dict[str, str]:
    return dict(_or_invalid(gizwitsform.parse, body))


def _opened(secret: str, data: str) -> bytes:
    opened = _or_invalid(gizwitsform.opened, secret, data.encode())
    assert isinstance(opened, bytes)
    return opened


def _or_invalid(call: Callable[..., T], *arguments: object) -> T:
    try:
        return call(*arguments)
    except PointError as error:
        raise _invalid(error.detail) from None

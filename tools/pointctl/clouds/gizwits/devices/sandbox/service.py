"""What the sandbox answers devices, and which of them may log in; both generations.

What the cloud's own firmware shows of it, and what is our definition: docs/gizwits.md.
"""

import hmac
import re
import secrets
import string
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pointctl.clouds.gizwits.devices import wire
from pointctl.clouds.gizwits.devices.errors import DeviceNotFound, WrongSignature
from pointctl.clouds.gizwits.devices.sandbox.models import Generation, KnownDevice
from pointctl.clouds.gizwits.devices.wire import MqttAddress, SignedHeaders
from pointctl.clouds.gizwits.preauth.errors import ModeInvalid
from pointctl.clouds.gizwits.preauth.names import normalize_mac
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker, hash_key
from pointctl.clouds.gizwits.preauth.sandbox.models import (
    SandboxDevice,
    SandboxPackage,
    SandboxProduct,
)
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.clouds.kit.sandbox_secret import hash_token
from pointctl.registry.topics import Topics, build_topics

_USER = re.compile(r"([0-9A-Za-z]{8})\|signmethod=sha256,signnonce=([0-9A-Za-z]{1,64})")
_DID = re.compile(f"[0-9A-Za-z]{{1,{wire.CLASSIC_DID_LENGTH}}}")
_DID_LENGTHS = {
    Generation.AGENT: wire.AGENT_DID_LENGTH,
    Generation.CLASSIC: wire.CLASSIC_DID_LENGTH,
}


class DeviceService:
    """The devices' side on one database. Threads may share it."""

    def __init__(
        self, database: SandboxDatabase, maker: KeyMaker, address: MqttAddress
    ) -> None:
        self._database = database
        self._maker = maker
        self._address = address

    def bootstrap(self, did: str, headers: SignedHeaders) -> str:
        """Where a device with an auth_key logs in. Raises DeviceRefusal."""
        with self._database.snapshot() as session:
            known = _find_known(session, did, Generation.AGENT)
            if known is None:
                raise DeviceNotFound
            product_key, mac = known.product_key, known.mac
            auth_key = find_auth_key(session, self._maker, product_key, mac)
        if auth_key is None:
            raise DeviceNotFound
        if not headers.has_token_under(product_key, mac, auth_key):
            raise WrongSignature
        return self._address.agent_form()

    def network(
        self, product_key: str, mac: str, headers: SignedHeaders, body: bytes
    ) -> str:
        """The same for one that has no did yet, which it gets. Raises DeviceRefusal.

        The token is under the product secret, as the cloud's own firmware makes it, or
        under the auth_key; the body is signed by the auth_key either way.
        """
        mac = normalize_mac(mac)
        with self._database.exclusive() as session:
            auth_key = find_auth_key(session, self._maker, product_key, mac)
            if auth_key is None:
                raise DeviceNotFound
            secret = self._product_secret(session, product_key)
            if not any(
                headers.has_token_under(product_key, mac, each)
                for each in (secret, auth_key)
                if each is not None
            ):
                raise WrongSignature
            headers.check_body(auth_key, body)
            wire.check_onboarding(body)
            known = _enter(session, product_key, mac, Generation.AGENT)
        return f"{self._address.agent_form()}&device_id={known.did}"

    def register(self, product_key: str, encrypted: str) -> str:
        """The encrypted did of a device that encrypts its passcode.

        Raises DeviceRefusal.
        """
        with self._database.exclusive() as session:
            secret = self._classic_secret(session, product_key)
            asked = wire.parse_registration(secret, encrypted)
            known = _enter(session, product_key, asked.mac, Generation.CLASSIC)
            known.passcode_hash = hash_token(asked.passcode)
        return wire.encrypt(secret, f"did={known.did}")

    def provision(self, product_key: str, encrypted_did: str) -> str:
        """Where a device logs in at the older cloud. Raises DeviceRefusal."""
        with self._database.snapshot() as session:
            secret = self._classic_secret(session, product_key)
            did = wire.decrypt(secret, encrypted_did).decode(errors="replace")
            known = _find_known(session, did, Generation.CLASSIC)
        if known is None or known.product_key != product_key:
            raise DeviceNotFound
        return wire.encrypt(secret, self._address.classic_form(datetime.now(UTC)))

    def _product_secret(self, session: Session, product_key: str) -> str | None:
        product = session.get(SandboxProduct, product_key)
        return self._maker.product_secret(product) if product else None

    def _classic_secret(self, session: Session, product_key: str) -> str:
        secret = self._product_secret(session, product_key)
        if secret is None or not wire.can_encrypt(secret):
            raise DeviceNotFound("no product that encrypts")
        return secret


def find_login_topics(
    database: SandboxDatabase,
    maker: KeyMaker,
    client_id: str,
    username: str,
    password: str,
) -> Topics | None:
    """The topics of a device that logs in by MQTT; None if it may not."""
    signed = _USER.fullmatch(username)
    did = signed[1] if signed else username
    generation = Generation.AGENT if signed else Generation.CLASSIC
    if client_id != did:
        return None
    with database.snapshot() as session:
        known = _find_known(session, did, generation)
        if known is None:
            return None
        if signed:
            names = known.product_key, known.mac
            auth_key = find_auth_key(session, maker, *names)
            expected = auth_key and wire.make_token(*names, auth_key, signed[2])
            given = password
        else:
            expected, given = known.passcode_hash, hash_token(password)
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        return None
    return build_topics("gizwits", known.product_key, known.mac, did)


def find_auth_key(
    session: Session, maker: KeyMaker, product_key: str, mac: str
) -> str | None:
    """The key that device authorisation gave this device; None if it gave none."""
    query = select(SandboxDevice).where(
        SandboxDevice.product_key == product_key, SandboxDevice.mac == mac
    )
    device = session.scalar(query)
    if device is None:
        return None
    package = session.get_one(SandboxPackage, device.package_id)
    product = session.get_one(SandboxProduct, product_key)
    try:
        auth_key = maker.make(package.mode, product, mac)
    except ModeInvalid:
        return None
    return auth_key if hash_key(auth_key) == device.key_check else None


def _find_known(
    session: Session, did: str, generation: Generation
) -> KnownDevice | None:
    if not _DID.fullmatch(did):
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
            did=_random_did(_DID_LENGTHS[generation]),
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

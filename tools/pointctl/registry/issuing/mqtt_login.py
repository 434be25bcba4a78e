"""Logins at a broker, checked by the code with which boards make their passwords."""

import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, cast

from sqlalchemy import and_, bindparam, exists, select, update

from point import mqttauth
from point.aliyun import login as aliyun
from point.gizwits import login as gizwits
from pointctl.registry import audit
from pointctl.registry.devices import products
from pointctl.registry.issuing import claims, credentials
from pointctl.registry.storage import vault
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import (
    Claim,
    ClaimState,
    Credential,
    CredentialSlot,
    Device,
    Product,
    State,
)
from pointctl.registry.storage.vault import VaultError
from pointctl.registry.topics import Topics, build_topics, make_client_id

if TYPE_CHECKING:
    from point.credentials import DeviceConfig

_TEXT_MAX = 256  # as point.credentials: no name or password is longer
_DEFAULT_METHOD = "hmacmd5"  # Alibaba's, for a client id that names no method
_OUT = (State.REVOKED, State.RETIRED)
_NONCE = re.compile(r"[^|]+\|signmethod=sha256,signnonce=([0-9A-Za-z]{1,64})")
# Columns rather than objects, and built once: brokers ask at each connection and topic,
# and the time that objects take would tell a known device from an unknown one.
_LOOKUP = (
    select(
        Device.id,
        Device.imei,
        Device.product_key,
        Device.device_name,
        Device.state,
        Device.confirmed_at,
        Product.auth,
        exists()
        .where(Claim.device_id == Device.id, Claim.state == ClaimState.OPEN)
        .label("claiming"),
        Credential.id.label("credential_id"),
        Credential.standing,
        Credential.encrypted_secret,
    )
    .join_from(Device, Product)
    .join(
        Credential,
        and_(Credential.device_id == Device.id, Credential.standing.is_not(None)),
    )
    .where(
        Device.device_name == bindparam("device_name"),
        Device.product_key == bindparam("product_key"),
    )
)
_STILL_NEXT = select(Credential.id).where(
    Credential.id == bindparam("id_"), Credential.standing == CredentialSlot.NEXT
)


class BrokerDevice(Protocol):
    """A row of _LOOKUP: a device, its product's scheme, and one of its credentials."""

    id: int
    imei: str
    product_key: str
    device_name: str
    state: State
    confirmed_at: datetime | None
    auth: str | None
    claiming: bool
    credential_id: int
    standing: CredentialSlot
    encrypted_secret: str


@dataclass(frozen=True)
class Login:
    """What a CONNECT comes to: the device that is let in, or why none is."""

    device: BrokerDevice | None = field(repr=False)
    reason: str | None = None  # for the log only


def judge(
    database: Database,
    client_id: str,
    username: str,
    password: str,
    *,
    own_client_id: bool = False,
) -> Login:
    """Judge a CONNECT by the scheme of its device's product.

    With `own_client_id` the client id has to name the device: some brokers hand a
    session to whoever names its client id. The first login confirms the device. Every
    login ends its claim, and one with a rotation's new secret retires the old secret.
    An unknown device costs the same work as a known one, whatever its scheme.
    """
    try:
        return _judge(database, client_id, username, password, own_client_id)
    except VaultError:
        # Read again: it may be under a key that was dropped since (issuer.py).
        return _judge(database, client_id, username, password, own_client_id)


def _judge(
    database: Database,
    client_id: str,
    username: str,
    password: str,
    own_client_id: bool,
) -> Login:
    rows = _find(database, username)
    device = next(iter(rows.values()), None)
    scheme = (device.auth if device else None) or "plain"
    given = password.lower() if scheme == "aliyun" else password  # hex of any case
    proven = None
    for slot in CredentialSlot:
        row = rows.get(slot)
        secret = _secret(database, row) if row else secrets.token_hex(16)
        expected = _passwords(client_id, username, secret)[scheme]
        is_same = hmac.compare_digest(_octets(expected or ""), _octets(given))
        if is_same and expected and row:
            proven = row
    if device is None:
        return Login(None, "unknown")
    if proven is None:
        return Login(None, "password")
    if device.state in _OUT:
        return Login(None, device.state.value)
    if own_client_id and not owns_client_id(device, client_id):
        return Login(None, "client id")
    is_rotated = proven.standing is CredentialSlot.NEXT
    if is_rotated or device.claiming or device.confirmed_at is None:
        _confirm(database, proven)
    return Login(device)


def find(database: Database, username: str) -> BrokerDevice | None:
    """The device that has logged in under this user name, unless it is out now."""
    device = next(iter(_find(database, username).values()), None)
    return None if device is None or device.state in _OUT else device


def topics(device: BrokerDevice) -> Topics:
    """The topics of a device that judge() or find() returned."""
    return build_topics(device.auth, device.product_key, device.device_name)


def owns_client_id(device: BrokerDevice, client_id: str) -> bool:
    """Whether a client id names this device, as boards and Alibaba's SDKs make it."""
    key, name = device.product_key, device.device_name
    bare = client_id.partition("|")[0]
    return bare in (f"{key}.{name}", f"{key}&{name}", make_client_id(key, name))


def fixed_password(config: "DeviceConfig") -> str:
    """The password of a device at a broker that keeps accounts and computes nothing.

    Raises PointctlError where the scheme has a new password for each connection.
    """
    auth, key = config["connect"].get("auth"), config["device"]["productKey"]
    products.check_fixed_password(auth, key)
    return mqttauth.settings(config, os.urandom)["password"]


def _find(database: Database, username: str) -> dict[CredentialSlot, BrokerDevice]:
    """The valid credentials of the device that this user name names, by their slot."""
    if not _is_text(username):
        return {}
    device_name, _, product_key = username.partition("|")[0].partition("&")
    names = {"device_name": device_name, "product_key": product_key}
    with database.snapshot() as session:
        rows = session.connection().execute(_LOOKUP, names).all()
    return {row.standing: cast(BrokerDevice, row) for row in rows}


def _secret(database: Database, row: BrokerDevice) -> str:
    return database.vault.decrypt(row.encrypted_secret, vault.bind_device(row.id))


def _passwords(client_id: str, username: str, secret: str) -> dict[str, str | None]:
    """The right password of this CONNECT by each scheme; None where it does not fit.

    How much work that is depends on the CONNECT alone.
    """
    found: dict[str, str | None] = dict.fromkeys(mqttauth.SCHEMES)
    name, _, rest = username.partition("&")
    key = rest.partition("|")[0]
    if not (_is_text(client_id) and _is_text(username)):
        return found
    did = make_client_id(key, name)
    if username == did:
        found["plain"] = secret
        found["gizwits-classic"] = secret if client_id == did else None
        bare, members = _extension(client_id)
        found["aliyun"] = _aliyun(bare, members, name, key, secret)
        token = bare == did and members.get("authType") == "connwl"
        found["aliyun-token"] = secret if token else None
    nonce = _NONCE.fullmatch(username)
    if nonce and client_id == did:
        found["gizwits"] = gizwits.token(key, name, secret, nonce[1])
    return found


def _extension(client_id: str) -> tuple[str, dict[str, str]]:
    """The two parts of an Alibaba client id, `bare|k=v,…|`; another has no members."""
    bare, _, rest = client_id.partition("|")
    pairs = [pair.partition("=") for pair in rest[:-1].split(",")]
    members = {name: value for name, _, value in pairs}
    is_whole = rest.endswith("|") and len(members) == len(pairs)
    return bare, members if is_whole and 0 < len(bare) <= 64 else {}


def _aliyun(
    bare: str, members: dict[str, str], name: str, key: str, secret: str
) -> str | None:
    """The signature over what the client id says; it may name any method."""
    method = members.get("signmethod", _DEFAULT_METHOD)
    if (
        method not in aliyun.METHODS
        or members.get("securemode") not in ("2", "3")
        or "authType" in members
    ):
        return None
    signed = {"clientId": bare, "deviceName": name, "productKey": key}
    if "timestamp" in members:
        signed["timestamp"] = members["timestamp"]
    return aliyun.sign(method, secret, signed)


def _is_text(text: str) -> bool:
    """Whether it could be ours; databases refuse a zero and half a character."""
    return len(text) <= _TEXT_MAX and text.isascii() and text.isprintable()


def _octets(text: str) -> bytes:
    """UTF-8, also of half a character, which JSON may hold."""
    return text.encode("utf-8", "surrogatepass")


def _confirm(database: Database, proven: BrokerDevice) -> None:
    """Note that a device has logged in with this credential."""
    with database.exclusive() as session:
        connection = session.connection()
        claims.close(connection, proven.id, ClaimState.CONFIRMED)
        first = Device.id == proven.id, Device.confirmed_at.is_(None)
        values = {"confirmed_at": datetime.now(UTC)}
        if connection.execute(update(Device).where(*first).values(values)).rowcount:
            audit.record(connection, proven.id, "confirmed", audit.SERVER)
        issued = Device.id == proven.id, Device.state == State.ISSUED
        connection.execute(update(Device).where(*issued).values(state=State.CONFIRMED))
        # Another connection may have been faster, or another rotation begun.
        if connection.execute(_STILL_NEXT, {"id_": proven.credential_id}).first():
            credentials.promote(connection, proven.id)

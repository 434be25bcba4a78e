"""Products: the kinds of device, and the settings that their boards receive."""

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from point import credentials, mqttauth
from point.aliyun import login as aliyun
from point.errors import PointError
from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.storage import encryption, etags, vault
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Batch, Policy, Product, Source, format_time
from pointctl.registry.storage.vault import Vault
from pointctl.registry.topics import make_client_id

if TYPE_CHECKING:
    from point.credentials import DeviceConfig

ALIYUN = ("aliyun", "aliyun-token")
_NEEDS_SECRET = "the policy product-secret needs a product secret"
GIZWITS = ("gizwits", "gizwits-classic")
_GIVEN_CLIENT_ID = ("aliyun-token", *GIZWITS)


class UnknownProduct(PointctlError):
    """No product has this key."""


class UnknownBatch(PointctlError):
    """The product has no batch of this name."""


class NewProductSettings(TypedDict, total=False):
    """The settings of a new product; absent ones get the defaults of _DEFAULTS."""

    policy: Policy
    mqtt_port: int | None
    mqtt_ssl: bool | None
    mqtt_qos: int
    clean_session: bool
    keep_alive: int | None
    auth: str | None
    sign_method: str | None
    region: str | None
    instance_id: str | None
    source: Source


class ProductSettings(NewProductSettings, total=False):
    """The settings of a product that can be changed; absent ones do not change."""

    name: str
    mqtt_host: str
    pool_warn_below: int
    max_failures_per_s: int


class ProductSummary(TypedDict):
    """A product as it is printed: everything but its secret."""

    product_key: str
    name: str
    policy: str
    has_secret: bool
    mqtt_host: str
    mqtt_port: int | None
    mqtt_ssl: bool | None
    mqtt_qos: int
    clean_session: bool
    keep_alive: int | None
    auth: str | None
    sign_method: str | None
    region: str | None
    instance_id: str | None
    source: str
    pool_warn_below: int
    open_batch: str | None
    max_failures_per_s: int
    created_at: str | None


_DEFAULTS: NewProductSettings = {
    "policy": Policy.DEVICE_KEY,
    "mqtt_port": None,
    "mqtt_ssl": None,
    "mqtt_qos": 0,
    "clean_session": False,
    "keep_alive": None,
    "auth": None,
    "sign_method": None,
    "region": None,
    "instance_id": None,
    "source": Source.MINT,
}


def add(
    database: Database,
    name: str,
    *,
    product_key: str | None = None,
    mqtt_host: str | None = None,
    with_secret: bool = True,
    who: str = "pointctl",
    **settings: Unpack[NewProductSettings],
) -> Product:
    """Add a product. For a setting that is None, boards use their own default.

    Without `mqtt_host`, products that log in to Alibaba use Alibaba's host for the
    product key. Raises PointctlError for a setting that a board would refuse, Refused
    if the product key is taken.
    """
    if settings.get("policy") is Policy.PRODUCT_SECRET and not with_secret:
        raise PointctlError(_NEEDS_SECRET)
    key, auth = product_key or "pk" + secrets.token_hex(4), settings.get("auth")
    if mqtt_host is None and auth in ALIYUN:
        region, instance_id = settings.get("region"), settings.get("instance_id")
        mqtt_host = aliyun.host(key, region, instance_id)
    product = Product(
        product_key=key,
        name=name,
        mqtt_host=mqtt_host,
        pool_warn_below=100,
        max_failures_per_s=200,
        created_at=datetime.now(UTC),
        **{**_DEFAULTS, **settings},
    )
    _check(product)
    with database.exclusive() as session:
        if session.get(Product, key) is not None:
            raise Refused(f"the product {key} exists already; choose another key")
        connection = session.connection()
        if with_secret:
            key_id = encryption.active_key(connection)
            # Alibaba's secrets have 16 characters; Gizwits' are AES keys in hex.
            made = secrets.token_hex(16 if auth in GIZWITS else 8)
            product.encrypted_secret = database.vault.encrypt(
                made, key_id, vault.bind_product(key)
            )
        session.add(product)
        audit.record_other(connection, f"product {key}", "product added", who, name)
    return product


def change(
    database: Database,
    product_key: str,
    who: str,
    etag: str | None = None,
    **settings: Unpack[ProductSettings],
) -> Product:
    """Change settings of a product; boards receive them with their next claim.

    Raises UnknownProduct, PointctlError for a setting that a board would refuse, and
    etags.Changed if `etag` is given and is not that of the product's summary.
    """
    with database.exclusive() as session:
        product = _find(session, product_key)
        etags.check(etag, summarize(product), "product")
        changed = {n: v for n, v in settings.items() if getattr(product, n) != v}
        for name, value in changed.items():
            setattr(product, name, value)
        _check(product)
        if product.policy is Policy.PRODUCT_SECRET and not product.encrypted_secret:
            raise PointctlError(_NEEDS_SECRET)
        if changed:
            note = ", ".join(
                f"{name}={_format_value(changed[name])}" for name in changed
            )
            audit.record_other(
                session.connection(),
                f"product {product_key}",
                "product changed",
                who,
                note[:200],
            )
    return product


def _format_value(value: object) -> str:
    return "-" if value is None else str(value)


def decrypt_secret(keys: Vault, product: Product | Row[*tuple[Any, ...]]) -> str | None:
    """Return the product's secret, None if it has none. Raises VaultError."""
    stored = product.encrypted_secret
    return stored and keys.decrypt(stored, vault.bind_product(product.product_key))


def _check(product: Product) -> None:
    """Raise PointctlError unless a board can log in with the product's settings."""
    if not 0 < len(product.name) <= 100 or not product.name.isprintable():
        raise PointctlError("a product's name has 1 to 100 printable characters")
    if product.auth is not None and product.auth not in mqttauth.SCHEMES:
        raise PointctlError(
            f"auth {product.auth!r} is unknown; choose one of: "
            f"{', '.join(mqttauth.SCHEMES)}"
        )
    if not 0 <= product.pool_warn_below < 2**31:
        raise PointctlError(
            f"pool_warn_below is {product.pool_warn_below}; it must be 0 (no warning) "
            f"to {2**31 - 1} credentials"
        )
    if not 0 < product.max_failures_per_s <= 10_000:
        raise PointctlError(
            f"max_failures_per_s is {product.max_failures_per_s}; it must be 1 to 10000"
        )
    if product.open_batch is not None:
        check_can_sign(product)
    if product.sign_method and product.auth != "aliyun":
        raise PointctlError(
            f"sign_method needs auth aliyun; auth is {product.auth or 'not set'}"
        )
    if (product.region or product.instance_id) and product.auth not in ALIYUN:
        raise PointctlError(
            f"region and instance_id need auth {' or '.join(ALIYUN)}; "
            f"auth is {product.auth or 'not set'}"
        )
    try:
        config = build_device_config(product, "any-device", "any-secret", "any-secret")
        mqttauth.settings(config, os.urandom)
    except PointError as error:
        raise PointctlError(
            f"a board would refuse this product: {error.detail}"
        ) from error


def list_products(database: Database) -> Sequence[Product]:
    """Return all products, by name."""
    with database.snapshot() as session:
        return session.scalars(
            select(Product).order_by(Product.name, Product.product_key)
        ).all()


def check_can_sign(product: Product) -> None:
    """Raise Refused for a product whose boards do not sign their requests."""
    if product.policy is Policy.OPEN:
        raise Refused(
            f"the policy of {product.product_key} is open: its boards do not sign "
            "requests, so unregistered boards cannot enrol"
        )


def get(database: Database, product_key: str) -> Product:
    """Return the product of this key. Raises UnknownProduct."""
    with database.snapshot() as session:
        return _find(session, product_key)


def check_exists(session: Session, product_key: str) -> None:
    """Raise UnknownProduct if there is no such product."""
    _find(session, product_key)


def _find(session: Session, product_key: str) -> Product:
    found = session.get(Product, product_key)
    if found is None:
        raise UnknownProduct(
            f"there is no product {product_key}; see pointctl products list"
        )
    return found


def find_batch(session: Session, product_key: str, name: str) -> Batch:
    """Return the batch of this name. Raises UnknownBatch."""
    query = select(Batch).where(Batch.product_key == product_key, Batch.name == name)
    batch = session.scalar(query)
    if batch is None:
        raise UnknownBatch(
            f"the product {product_key} has no batch {name}; see pointctl batches list"
        )
    return batch


def needs_claim_master(database: Database) -> bool:
    """Whether any product's boards have keys derived from the claim master."""
    query = select(Product.product_key).where(Product.policy == Policy.DEVICE_KEY)
    with database.snapshot() as session:
        return session.scalar(query.limit(1)) is not None


def check_fixed_passwords(database: Database) -> None:
    """Raise PointctlError if any product's boards cannot use accounts of a broker."""
    for product in list_products(database):
        check_fixed_password(product.auth, product.product_key)


def check_fixed_password(auth: str | None, product_key: str) -> None:
    """Raise PointctlError if a scheme uses a new password for each connection."""
    if auth == "gizwits":
        raise PointctlError(
            f"boards of {product_key} log in by gizwits, with a new password each "
            "time: mosquitto cannot check it, but a broker that asks the server can; "
            "see serve --mqtt-hook-token-file"
        )


def check_has_device_keys(database: Database, product_key: str) -> None:
    """Raise PointctlError unless each board of the product has its own key."""
    with database.snapshot() as session:
        check_exists(session, product_key)
        product = session.get_one(Product, product_key)
    if product.policy is not Policy.DEVICE_KEY:
        raise PointctlError(
            f"the policy of {product_key} is {product.policy.value}: only boards under "
            "the policy device-key have claim keys"
        )


def build_device_config(
    product: Product | Row[*tuple[Any, ...]],
    device_name: str,
    device_secret: str,
    product_secret: str | None,
) -> "DeviceConfig":
    """Build the configuration of a device: the `result` of a reply.

    `product` may be a row of the product's columns. Raises PointError(FIELD) for
    anything that a board would refuse.
    """
    client_id = None  # the boards make one themselves
    if product.auth in _GIVEN_CLIENT_ID:
        client_id = make_client_id(product.product_key, device_name)
    config = credentials.checked(
        {
            "device": {
                "productKey": product.product_key,
                "productSecret": product_secret,
                "deviceName": device_name,
                "deviceSecret": device_secret,
            },
            "connect": {
                "host": product.mqtt_host,
                "qos": product.mqtt_qos,
                "cleanSession": product.clean_session,
                "port": product.mqtt_port,
                "ssl": product.mqtt_ssl,
                "keepAlive": product.keep_alive,
                "auth": product.auth,
                "signMethod": product.sign_method,
                "region": product.region,
                "instanceId": product.instance_id,
                "clientId": client_id,
            },
        }
    )
    if product_secret is None:
        del config["device"]["productSecret"]  # absent, as in the seed's own reply
    return config


def summarize(product: Product) -> ProductSummary:
    """Describe a product without its secret."""
    return {
        "product_key": product.product_key,
        "name": product.name,
        "policy": product.policy.value,
        "has_secret": product.encrypted_secret is not None,
        "mqtt_host": product.mqtt_host,
        "mqtt_port": product.mqtt_port,
        "mqtt_ssl": product.mqtt_ssl,
        "mqtt_qos": product.mqtt_qos,
        "clean_session": product.clean_session,
        "keep_alive": product.keep_alive,
        "auth": product.auth,
        "sign_method": product.sign_method,
        "region": product.region,
        "instance_id": product.instance_id,
        "source": product.source.value,
        "pool_warn_below": product.pool_warn_below,
        "open_batch": product.open_batch,
        "max_failures_per_s": product.max_failures_per_s,
        "created_at": format_time(product.created_at),
    }

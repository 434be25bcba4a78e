"""Products: the kinds of device, and what their boards are told."""

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
from pointctl.registry.storage.models import Batch, Policy, Product, Source, moment
from pointctl.registry.storage.vault import Vault
from pointctl.registry.topics import made_client_id

if TYPE_CHECKING:  # device code has its types in typings/, not where it runs
    from point.credentials import DeviceConfig as DeviceConfig
else:
    DeviceConfig = dict

ALIYUN = ("aliyun", "aliyun-token")
_NEEDS_SECRET = "the policy product-secret needs a product secret"
GIZWITS = ("gizwits", "gizwits-classic")
_GIVEN_CLIENT_ID = ("aliyun-token", *GIZWITS)


class UnknownProduct(PointctlError):
    """No product has this key."""


def add(
    database: Database,
    name: str,
    *,
    policy: Policy = Policy.DEVICE_KEY,
    mqtt_host: str | None = None,
    product_key: str | None = None,
    mqtt_port: int | None = None,
    mqtt_ssl: bool | None = None,
    mqtt_qos: int = 0,
    clean_session: bool = False,
    keep_alive: int | None = None,
    auth: str | None = None,
    sign_method: str | None = None,
    region: str | None = None,
    instance_id: str | None = None,
    source: Source = Source.MINT,
    with_secret: bool = True,
    who: str = "pointctl",
) -> Product:
    """Add a product. What is None is left to the boards.

    Without a `mqtt_host` it is Alibaba's for the product key. Raises PointctlError for
    a setting that a board would refuse, Refused where the product key is taken.
    """
    if policy is Policy.PRODUCT_SECRET and not with_secret:
        raise PointctlError(_NEEDS_SECRET)
    key = product_key or "pk" + secrets.token_hex(4)
    if mqtt_host is None and auth in ALIYUN:
        mqtt_host = aliyun.host(key, region, instance_id)
    product = Product(
        product_key=key,
        name=name,
        policy=policy,
        mqtt_host=mqtt_host,
        mqtt_port=mqtt_port,
        mqtt_ssl=mqtt_ssl,
        mqtt_qos=mqtt_qos,
        clean_session=clean_session,
        keep_alive=keep_alive,
        auth=auth,
        sign_method=sign_method,
        region=region,
        instance_id=instance_id,
        source=source,
        pool_warn_below=100,
        max_failures_per_s=200,
        created_at=datetime.now(UTC),
    )
    _check(product)
    with database.exclusive() as session:
        if session.get(Product, key) is not None:
            raise Refused(f"product {key} exists; take another --key")
        connection = session.connection()
        if with_secret:
            key_id = encryption.active_key(connection)
            # 16 characters as Alibaba's; Gizwits' are AES keys in hex.
            made = secrets.token_hex(16 if auth in GIZWITS else 8)
            product.encrypted_secret = database.vault.encrypt(
                made, key_id, vault.of_product(key)
            )
        session.add(product)
        audit.record_other(connection, f"product {key}", "product added", who, name)
    return product


class UnknownBatch(PointctlError):
    """The product has no batch of this name."""


class Settings(TypedDict, total=False):
    """What can be changed of a product; what is absent stays as it is."""

    name: str
    policy: Policy
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
    source: Source
    pool_warn_below: int
    max_failures_per_s: int


def change(
    database: Database,
    product_key: str,
    who: str,
    etag: str | None = None,
    **settings: Unpack[Settings],
) -> Product:
    """Give a product other settings; boards are told of them at their next claim.

    Raises PointctlError for one that a board would refuse, or for no such product, and
    with the `etag` of its summary versions.Changed if that is another one by now.
    """
    with database.exclusive() as session:
        product = _find(session, product_key)
        etags.check(etag, summary(product), "product")
        changed = {n: v for n, v in settings.items() if getattr(product, n) != v}
        for name, value in changed.items():
            setattr(product, name, value)
        _check(product)
        if product.policy is Policy.PRODUCT_SECRET and not product.encrypted_secret:
            raise PointctlError(_NEEDS_SECRET)
        if changed:
            note = ", ".join(f"{name}={_said(changed[name])}" for name in changed)
            audit.record_other(
                session.connection(),
                f"product {product_key}",
                "product changed",
                who,
                note[:200],
            )
    return product


def _said(value: Any) -> str:
    return "-" if value is None else str(value)


def secret(keys: Vault, product: Product | Row[*tuple[Any, ...]]) -> str | None:
    """The product's secret. Raises VaultError."""
    stored = product.encrypted_secret
    return stored and keys.decrypt(stored, vault.of_product(product.product_key))


def _check(product: Product) -> None:
    """Raise PointctlError unless a board can log in with what it will be told."""
    if not 0 < len(product.name) <= 100 or not product.name.isprintable():
        raise PointctlError("a product's name is 1 to 100 printable characters")
    if product.auth is not None and product.auth not in mqttauth.SCHEMES:
        raise PointctlError(f"auth is one of: {', '.join(mqttauth.SCHEMES)}")
    if not 0 <= product.pool_warn_below < 2**31:
        raise PointctlError("warn below a number of credentials; 0 is never")
    if not 0 < product.max_failures_per_s <= 10_000:
        raise PointctlError("1 to 10000 failures a second are allowed")
    if product.open_batch is not None:
        check_signs(product)
    if product.sign_method and product.auth != "aliyun":
        raise PointctlError("a sign method is for boards that log in by aliyun")
    if (product.region or product.instance_id) and product.auth not in ALIYUN:
        raise PointctlError(
            "region and instance id are for boards that log in by aliyun"
        )
    try:
        config = device_config(product, "any-device", "any-secret", "any-secret")
        mqttauth.settings(config, os.urandom)
    except PointError as error:
        raise PointctlError(
            f"a board would refuse this product: {error.detail}"
        ) from error


def listed(database: Database) -> Sequence[Product]:
    """All products, by name."""
    with database.snapshot() as session:
        return session.scalars(
            select(Product).order_by(Product.name, Product.product_key)
        ).all()


def check_signs(product: Product) -> None:
    """Raise Refused for a product whose boards prove nothing."""
    if product.policy is Policy.OPEN:
        raise Refused(f"the boards of {product.product_key} sign nothing")


def get(database: Database, product_key: str) -> Product:
    """The product of this key. Raises UnknownProduct."""
    with database.snapshot() as session:
        return _find(session, product_key)


def check_exists(session: Session, product_key: str) -> None:
    """Raise UnknownProduct if there is no such product."""
    _find(session, product_key)


def _find(session: Session, product_key: str) -> Product:
    found = session.get(Product, product_key)
    if found is None:
        raise UnknownProduct(f"no product {product_key}; see pointctl products list")
    return found


def find_batch(session: Session, product_key: str, name: str) -> Batch:
    """The batch of this name. Raises UnknownBatch."""
    query = select(Batch).where(Batch.product_key == product_key, Batch.name == name)
    batch = session.scalar(query)
    if batch is None:
        raise UnknownBatch(f"{product_key} has no batch {name}")
    return batch


def any_needs_master(database: Database) -> bool:
    """Whether there is a product whose boards have keys derived from the master."""
    query = select(Product.product_key).where(Product.policy == Policy.DEVICE_KEY)
    with database.snapshot() as session:
        return session.scalar(query.limit(1)) is not None


def check_fixed_passwords(database: Database) -> None:
    """Raise PointctlError if boards of any product cannot have a broker's accounts."""
    for product in listed(database):
        check_fixed_password(product.auth, product.product_key)


def check_fixed_password(auth: str | None, product_key: str) -> None:
    """Raise PointctlError if a scheme has a new password for each connection."""
    if auth == "gizwits":
        raise PointctlError(
            f"boards of {product_key} log in by gizwits, with another password each "
            "time: mosquitto cannot check it, a broker that asks the server can; see "
            "serve --mqtt-hook-token-file"
        )


def check_has_device_keys(database: Database, product_key: str) -> None:
    """Raise PointctlError unless the product's boards have keys of their own."""
    with database.snapshot() as session:
        check_exists(session, product_key)
        product = session.get_one(Product, product_key)
    if product.policy is not Policy.DEVICE_KEY:
        raise PointctlError(
            f"the policy of {product_key} is {product.policy.value}: its boards have "
            "no keys of their own"
        )


def device_config(
    product: Product | Row[*tuple[Any, ...]],
    device_name: str,
    device_secret: str,
    product_secret: str | None,
) -> DeviceConfig:
    """What a device of this product is told: the `result` of a reply.

    A row has the product's columns under their names.

    Raises PointError(FIELD) for anything that a board would refuse.
    """
    client_id = None  # the boards make their own
    if product.auth in _GIVEN_CLIENT_ID:
        client_id = made_client_id(product.product_key, device_name)
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


def summary(product: Product) -> dict[str, Any]:
    """A product for people and programs: everything but its secret."""
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
        "created_at": moment(product.created_at),
    }

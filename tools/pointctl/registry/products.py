"""Products: the kinds of device, and what their boards are told."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from point import credentials, mqttauth
from point.errors import PointError
from pointctl.errors import PointctlError, Refused
from pointctl.registry.database import Database
from pointctl.registry.models import Policy, Product

DeviceConfig = dict[str, dict[str, Any]]  # {"device": {…}, "connect": {…}}


def add(
    database: Database,
    name: str,
    *,
    policy: Policy = Policy.DEVICE_KEY,
    mqtt_host: str,
    product_key: str | None = None,
    mqtt_port: int | None = None,
    mqtt_ssl: bool | None = None,
    mqtt_qos: int = 0,
    clean_session: bool = False,
    keep_alive: int | None = None,
    auth: str | None = None,
    with_secret: bool = True,
) -> Product:
    """Add a product. What is None is left to the boards.

    Raises PointctlError for a setting that a board would refuse, Refused where the
    product key is taken.
    """
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise PointctlError("a product's name is 1 to 100 printable characters")
    if auth is not None and auth not in mqttauth.SCHEMES:
        raise PointctlError(f"auth is one of: {', '.join(mqttauth.SCHEMES)}")
    if policy is Policy.PRODUCT_SECRET and not with_secret:
        raise PointctlError("the policy product-secret needs a product secret")
    product = Product(
        product_key=product_key or "pk" + secrets.token_hex(4),
        name=name,
        policy=policy,
        product_secret=secrets.token_hex(8) if with_secret else None,
        mqtt_host=mqtt_host,
        mqtt_port=mqtt_port,
        mqtt_ssl=mqtt_ssl,
        mqtt_qos=mqtt_qos,
        clean_session=clean_session,
        keep_alive=keep_alive,
        auth=auth,
        created_at=datetime.now(UTC),
    )
    try:
        device_config(product, "any-device", "any-secret")
    except PointError as error:
        raise PointctlError(f"a board would refuse this product: {error.detail}") from (
            error
        )
    with database.writing() as session:
        if session.get(Product, product.product_key) is not None:
            raise Refused(f"product {product.product_key} exists; take another --key")
        session.add(product)
    return product


def listed(database: Database) -> Sequence[Product]:
    """All products, by name."""
    with database.reading() as session:
        return session.scalars(
            select(Product).order_by(Product.name, Product.product_key)
        ).all()


def check_exists(session: Session, product_key: str) -> None:
    """Raise PointctlError if there is no such product."""
    if session.get(Product, product_key) is None:
        raise PointctlError(f"no product {product_key}; see pointctl products list")


def any_needs_master(database: Database) -> bool:
    """Whether there is a product whose boards have keys derived from the master."""
    query = select(Product.product_key).where(Product.policy == Policy.DEVICE_KEY)
    with database.reading() as session:
        return session.scalar(query.limit(1)) is not None


def check_has_device_keys(database: Database, product_key: str) -> None:
    """Raise PointctlError unless the product's boards have keys of their own."""
    with database.reading() as session:
        check_exists(session, product_key)
        product = session.get_one(Product, product_key)
    if product.policy is not Policy.DEVICE_KEY:
        raise PointctlError(
            f"the policy of {product_key} is {product.policy.value}: its boards have "
            "no keys of their own"
        )


def device_config(
    product: Product | Row[*tuple[Any, ...]], device_name: str, device_secret: str
) -> DeviceConfig:
    """What a device of this product is told: the `result` of a reply.

    A row has the product's columns under their names.

    Raises PointError(FIELD) for anything that a board would refuse.
    """
    config: DeviceConfig = credentials.checked(
        {
            "device": {
                "productKey": product.product_key,
                "productSecret": product.product_secret,
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
            },
        }
    )
    if product.product_secret is None:
        del config["device"]["productSecret"]  # absent, as in the seed's own reply
    return config


def summary(product: Product) -> dict[str, Any]:
    """A product for people and programs: everything but its secret."""
    return {
        "product_key": product.product_key,
        "name": product.name,
        "policy": product.policy.value,
        "has_secret": product.product_secret is not None,
        "mqtt_host": product.mqtt_host,
        "mqtt_port": product.mqtt_port,
        "mqtt_ssl": product.mqtt_ssl,
        "mqtt_qos": product.mqtt_qos,
        "clean_session": product.clean_session,
        "keep_alive": product.keep_alive,
        "auth": product.auth,
        "created_at": product.created_at.isoformat(timespec="seconds"),
    }

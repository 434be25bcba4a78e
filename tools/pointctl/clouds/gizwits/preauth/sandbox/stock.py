"""What an operator of the sandbox gives out: products, packages of keys, tokens."""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from point import credentials
from point.errors import PointError
from pointctl.clouds.gizwits.preauth.names import NAME
from pointctl.clouds.gizwits.preauth.sandbox.models import (
    CallKind,
    KeyMode,
    SandboxPackage,
    SandboxProduct,
    SandboxToken,
    TokenRole,
)
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.clouds.kit.sandbox_secret import SandboxSecret, hash_token
from pointctl.errors import PointctlError, Refused
from pointctl.registry.storage.models import format_time

_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,30}")
_PRODUCT_KEY = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MOST_KEYS = 2**31 - 1
_LONGEST_NAME = 64


class SandboxProductSummary(TypedDict):
    """A product for people and programs, without its secret."""

    product_key: str
    name: str
    has_secret: bool
    created_at: str | None


class SandboxPackageSummary(TypedDict):
    """A package for people and programs; only who added it has its auth_code."""

    package: int
    pin: str
    product_key: str
    mode: str
    kind: str
    capacity: int
    size: int
    is_enabled: bool
    expires_at: str | None
    created_at: str | None


class SandboxTokenSummary(TypedDict):
    """An Authorization for people and programs, without its text."""

    label: str
    role: str
    pin: str | None
    created_at: str | None
    revoked_at: str | None


def add_product(
    database: SandboxDatabase,
    product_key: str,
    name: str,
    product_secret: str | None = None,
    encryption: SandboxSecret | None = None,
) -> None:
    """Add a product; its secret is stored encrypted, under the sandbox's own.

    Raises PointctlError for a key, a name or a secret that will not do, Refused where
    the product exists.
    """
    if not _PRODUCT_KEY.fullmatch(product_key):
        raise PointctlError("a product key is 1 to 64 letters, digits, _ or -")
    if not 0 < len(name) <= _LONGEST_NAME:
        raise PointctlError(f"a product's name has 1 to {_LONGEST_NAME} characters")
    encrypted = None
    if product_secret is not None:
        assert encryption is not None
        try:
            credentials.text("the product secret", product_secret, 64)
        except PointError as error:
            raise PointctlError(error.detail) from None
        encrypted = encryption.encrypt(product_secret, product_key)
    with database.exclusive() as session:
        if session.get(SandboxProduct, product_key) is not None:
            raise Refused(f"the sandbox has a product {product_key}; take another key")
        session.add(
            SandboxProduct(
                product_key=product_key,
                name=name,
                encrypted_secret=encrypted,
                created_at=datetime.now(UTC),
            )
        )


def list_products(database: SandboxDatabase) -> list[SandboxProductSummary]:
    """All products, by their keys."""
    query = select(SandboxProduct).order_by(SandboxProduct.product_key)
    with database.snapshot() as session:
        return [
            SandboxProductSummary(
                product_key=each.product_key,
                name=each.name,
                has_secret=each.encrypted_secret is not None,
                created_at=format_time(each.created_at),
            )
            for each in session.scalars(query)
        ]


def add_package(
    database: SandboxDatabase,
    pin: str,
    auth_code: str | None,
    product_key: str,
    capacity: int,
    *,
    mode: KeyMode = KeyMode.CLOUD,
    kind: CallKind = CallKind.ANY,
    days: float | None = None,
) -> tuple[SandboxPackage, str]:
    """Add a package of keys; return it and its auth_code, a new one if none is given.

    An auth_code that is given has packages already, which the new one fills up. Raises
    PointctlError for what will not do, Refused where it is another product's.
    """
    if not re.fullmatch(NAME, pin):
        raise PointctlError("a pin is 1 to 32 letters and digits")
    if not 0 <= capacity <= _MOST_KEYS:
        raise PointctlError(f"a package has up to {_MOST_KEYS} keys")
    if auth_code is not None and not re.fullmatch(NAME, auth_code):
        raise PointctlError("an auth_code is 1 to 32 letters and digits")
    now = datetime.now(UTC)
    package = SandboxPackage(
        pin=pin,
        auth_code_hash=hash_token(auth_code or (made := secrets.token_hex(16))),
        product_key=product_key,
        mode=mode,
        kind=kind,
        capacity=capacity,
        size=0,
        is_enabled=True,
        expires_at=None if days is None else now + timedelta(days=days),
        created_at=now,
        updated_at=now,
    )
    with database.exclusive() as session:
        product = session.get(SandboxProduct, product_key)
        if product is None:
            raise PointctlError(
                f"the sandbox has no product {product_key}; "
                "see pointctl sandbox products add"
            )
        if mode == KeyMode.DEVICE and product.encrypted_secret is None:
            raise Refused(
                f"{product_key} has no secret, from which devices could compute keys"
            )
        _check_fits(session, package)
        session.add(package)
    return package, auth_code or made


def change_package(
    database: SandboxDatabase,
    number: int,
    *,
    is_enabled: bool | None = None,
    days: float | None = None,
) -> SandboxPackage:
    """Disable a package, enable it, or have it end so many days from now.

    Raises PointctlError where there is none.
    """
    now = datetime.now(UTC)
    with database.exclusive() as session:
        package = session.get(SandboxPackage, number)
        if package is None:
            raise PointctlError(
                f"no package {number}; see pointctl sandbox packages list"
            )
        if is_enabled is not None:
            package.is_enabled = is_enabled
        if days is not None:
            package.expires_at = now + timedelta(days=days)
        package.updated_at = now
    return package


def list_packages(database: SandboxDatabase) -> Sequence[SandboxPackage]:
    """All packages, by customer."""
    query = select(SandboxPackage).order_by(SandboxPackage.pin, SandboxPackage.id)
    with database.snapshot() as session:
        return session.scalars(query).all()


def add_token(
    database: SandboxDatabase, label: str, role: TokenRole, pin: str | None
) -> str:
    """Make an Authorization; only its hash stays.

    Raises PointctlError for a label that will not do, Refused where it is taken.
    """
    if not _LABEL.fullmatch(label):
        raise PointctlError("a label is 1 to 31 of a-z 0-9 . _ -")
    token = secrets.token_urlsafe(32)
    with database.exclusive() as session:
        if _find_token(session, label) is not None:
            raise Refused(f"a token {label} exists; take another label")
        session.add(
            SandboxToken(
                label=label,
                token_hash=hash_token(token),
                role=role,
                pin=pin,
                created_at=datetime.now(UTC),
            )
        )
    return token


def revoke_token(database: SandboxDatabase, label: str) -> None:
    """Refuse an Authorization from now on. Raises PointctlError where there is none."""
    with database.exclusive() as session:
        token = _find_token(session, label)
        if token is None:
            raise PointctlError(f"no token {label}; see pointctl sandbox tokens list")
        token.revoked_at = token.revoked_at or datetime.now(UTC)


def list_tokens(database: SandboxDatabase) -> Sequence[SandboxToken]:
    """All Authorizations, by label."""
    with database.snapshot() as session:
        return session.scalars(select(SandboxToken).order_by(SandboxToken.label)).all()


def package_summary(package: SandboxPackage) -> SandboxPackageSummary:
    """A package as it is shown."""
    return {
        "package": package.id,
        "pin": package.pin,
        "product_key": package.product_key,
        "mode": str(package.mode),
        "kind": str(package.kind),
        "capacity": package.capacity,
        "size": package.size,
        "is_enabled": package.is_enabled,
        "expires_at": format_time(package.expires_at),
        "created_at": format_time(package.created_at),
    }


def token_summary(token: SandboxToken) -> SandboxTokenSummary:
    """An Authorization as it is shown."""
    return {
        "label": token.label,
        "role": str(token.role),
        "pin": token.pin,
        "created_at": format_time(token.created_at),
        "revoked_at": format_time(token.revoked_at),
    }


def _check_fits(session: Session, package: SandboxPackage) -> None:
    """Raise Refused unless the others of its auth_code are of its product and mode."""
    query = select(SandboxPackage).where(
        SandboxPackage.pin == package.pin,
        SandboxPackage.auth_code_hash == package.auth_code_hash,
    )
    for other in session.scalars(query):
        if (other.product_key, other.mode) != (package.product_key, package.mode):
            raise Refused(
                f"this auth_code is for {other.product_key}, mode {other.mode}"
            )


def _find_token(session: Session, label: str) -> SandboxToken | None:
    return session.scalar(select(SandboxToken).where(SandboxToken.label == label))

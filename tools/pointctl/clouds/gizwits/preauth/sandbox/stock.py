"""What an operator of the sandbox gives out: packages of keys, and Authorizations."""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pointctl.clouds.gizwits.preauth.names import NAME
from pointctl.clouds.gizwits.preauth.sandbox.models import (
    Kind,
    Mode,
    Role,
    SandboxPackage,
    SandboxToken,
)
from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.accounts.operators import hash_secret
from pointctl.registry.devices import products
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Product, format_time

_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,30}")
_MOST = 2**31 - 1


def add_package(
    database: Database,
    pin: str,
    auth_code: str | None,
    product_key: str,
    capacity: int,
    who: str,
    *,
    mode: Mode = Mode.CLOUD,
    kind: Kind = Kind.ANY,
    days: float | None = None,
) -> tuple[SandboxPackage, str]:
    """Add a package of keys, and its auth_code; a new one if none is given.

    One that is given has packages already, which it fills up. Raises UnknownProduct,
    PointctlError for what will not do, Refused where it is another product's.
    """
    if not re.fullmatch(NAME, pin):
        raise PointctlError("a pin is 1 to 32 letters and digits")
    if not 0 <= capacity <= _MOST:
        raise PointctlError(f"a package has up to {_MOST} keys")
    if auth_code is not None and not re.fullmatch(NAME, auth_code):
        raise PointctlError("an auth_code is 1 to 32 letters and digits")
    now = datetime.now(UTC)
    package = SandboxPackage(
        pin=pin,
        auth_code_hash=hash_secret(auth_code or (made := secrets.token_hex(16))),
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
        products.check_exists(session, product_key)
        product = session.get_one(Product, product_key)
        if mode == Mode.DEVICE and product.encrypted_secret is None:
            raise Refused(f"{product_key} has no secret that devices could compute by")
        _check_fits(session, package)
        session.add(package)
        session.flush()
        _audit(session, f"gizwits package {package.id}", "added", who, str(capacity))
    return package, auth_code or made


def change_package(
    database: Database,
    number: int,
    who: str,
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
            raise PointctlError(f"no package {number}; see pointctl sandbox packages")
        if is_enabled is not None:
            package.is_enabled = is_enabled
        if days is not None:
            package.expires_at = now + timedelta(days=days)
        package.updated_at = now
        _audit(session, f"gizwits package {number}", "changed", who)
    return package


def listed_packages(database: Database) -> Sequence[SandboxPackage]:
    """All packages, by customer."""
    query = select(SandboxPackage).order_by(SandboxPackage.pin, SandboxPackage.id)
    with database.snapshot() as session:
        return session.scalars(query).all()


def add_token(
    database: Database, label: str, role: Role, pin: str | None, who: str
) -> str:
    """Make an Authorization; only its hash stays.

    Raises PointctlError for a label that will not do, Refused where it is taken.
    """
    if not _LABEL.fullmatch(label):
        raise PointctlError("a label is up to 31 of a-z 0-9 . _ -")
    token = secrets.token_urlsafe(32)
    with database.exclusive() as session:
        if _token(session, label) is not None:
            raise Refused(f"there was a token {label}; take another label")
        session.add(
            SandboxToken(
                label=label,
                token_hash=hash_secret(token),
                role=role,
                pin=pin,
                created_at=datetime.now(UTC),
            )
        )
        _audit(session, f"gizwits token {label}", "added", who, role.value)
    return token


def revoke_token(database: Database, label: str, who: str) -> None:
    """Let nobody in with it. Raises PointctlError where there is none."""
    with database.exclusive() as session:
        token = _token(session, label)
        if token is None:
            raise PointctlError(f"no token {label}; see pointctl sandbox tokens list")
        if token.revoked_at is None:
            token.revoked_at = datetime.now(UTC)
            _audit(session, f"gizwits token {label}", "revoked", who)


def listed_tokens(database: Database) -> Sequence[SandboxToken]:
    """All Authorizations, by label."""
    with database.snapshot() as session:
        return session.scalars(select(SandboxToken).order_by(SandboxToken.label)).all()


def package_summary(package: SandboxPackage) -> dict[str, Any]:
    """A package for people and programs; its auth_code nobody has but who got it."""
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


def token_summary(token: SandboxToken) -> dict[str, Any]:
    """An Authorization, without itself."""
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


def _token(session: Session, label: str) -> SandboxToken | None:
    return session.scalar(select(SandboxToken).where(SandboxToken.label == label))


def _audit(
    session: Session, subject: str, what: str, who: str, note: str | None = None
) -> None:
    audit.record_other(session.connection(), subject, what, who, note)

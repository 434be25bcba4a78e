"""Operators: who may log in, and what each may do."""

import hashlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import argon2
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.storage import etags
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Operator, OperatorSession, Role, moment

MIN_PASSWORD, MAX_PASSWORD = 12, 128
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")

_hasher = argon2.PasswordHasher()
# Each hash takes 64 MB for a moment: many at once are for nobody but an attacker.
_few_at_once = threading.BoundedSemaphore(2)


class UnknownOperator(PointctlError):
    """No operator has this name."""


@dataclass(frozen=True)
class Actor:
    """Who does something: an operator's name, or with a token `name/label`."""

    name: str
    role: Role


def may_be_called(name: str) -> bool:
    """Whether it is a name at all."""
    return _NAME.fullmatch(name) is not None


def digest(secret: str) -> str:
    """What the registry keeps of a cookie or a token: enough to know it again.

    They are random and long, so a plain hash cannot be undone by trying.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def add(
    database: Database, name: str, role: Role, password: str | None, who: str
) -> None:
    """Add an operator; one without a password works with tokens only.

    Raises PointctlError for a name or a password that will not do, Refused where the
    name is taken, by one who is disabled too.
    """
    if not may_be_called(name):
        raise PointctlError("a name is up to 32 of a-z 0-9 . _ -")
    hashed = None if password is None else _hashed(name, password)
    with database.exclusive() as session:
        if _find(session, name) is not None:
            raise Refused(f"the operator {name} exists")
        now = datetime.now(UTC)
        session.add(
            Operator(name=name, role=role, password_hash=hashed, created_at=now)
        )
        _audit(session, name, "operator added", who, role.value)


def listed(database: Database) -> Sequence[Operator]:
    """All operators, by name."""
    with database.snapshot() as session:
        return session.scalars(select(Operator).order_by(Operator.name)).all()


def get(database: Database, name: str) -> Operator:
    """The operator of this name. Raises UnknownOperator."""
    with database.snapshot() as session:
        return find(session, name)


def any_active(database: Database) -> bool:
    """Whether anybody can log in or show a token."""
    query = select(Operator.id).where(Operator.disabled_at.is_(None)).limit(1)
    with database.snapshot() as session:
        return session.scalar(query) is not None


def change(
    database: Database,
    name: str,
    who: str,
    *,
    role: Role | None = None,
    disabled: bool | None = None,
    password: str | None = None,
    etag: str | None = None,
) -> None:
    """Change what is given of an operator, and end its sessions.

    Nobody is ever deleted, because the audit names them. Raises UnknownOperator,
    PointctlError for a weak password, Refused if nobody would be left as admin, and
    with the `etag` of its summary versions.Changed if that is another one by now.
    """
    hashed = None if password is None else _hashed(name, password)
    with database.exclusive() as session:
        operator = find(session, name)
        etags.check(etag, summary(operator), "operator")
        was_admin = operator.role is Role.ADMIN and not operator.disabled_at
        if role is not None:
            operator.role = role
            _audit(session, name, "role set", who, role.value)
        if disabled is not None:
            operator.disabled_at = datetime.now(UTC) if disabled else None
            what = "operator disabled" if disabled else "operator enabled"
            _audit(session, name, what, who)
        if hashed is not None:
            operator.password_hash = hashed
            _audit(session, name, "password set", who)
        session.flush()
        if was_admin:
            _check_an_admin_is_left(session)
        session.execute(
            delete(OperatorSession).where(OperatorSession.operator_id == operator.id)
        )


def password_holds(operator: Operator | None, password: str) -> bool:
    """Whether it is the operator's password; as slow where there is none.

    Whoever is disabled has none.
    """
    hashed = operator and not operator.disabled_at and operator.password_hash
    try:
        with _few_at_once:
            _hasher.verify(hashed or _nobodys(), password[: MAX_PASSWORD + 1])
    except argon2.exceptions.VerifyMismatchError:
        return False
    return bool(hashed)


def find(session: Session, name: str) -> Operator:
    """The operator of this name. Raises UnknownOperator."""
    operator = _find(session, name)
    if operator is None:
        raise UnknownOperator("there is no such operator")
    return operator


def summary(operator: Operator) -> dict[str, Any]:
    """An operator for people and programs, without the password's hash."""
    return {
        "name": operator.name,
        "role": operator.role.value,
        "has_password": operator.password_hash is not None,
        "created_at": moment(operator.created_at),
        "disabled_at": moment(operator.disabled_at),
        "seen_at": moment(operator.seen_at),
    }


def _check_an_admin_is_left(session: Session) -> None:
    query = select(Operator.id).where(
        Operator.role == Role.ADMIN, Operator.disabled_at.is_(None)
    )
    if session.scalar(query.limit(1)) is None:
        raise Refused("somebody has to stay admin; make another one first")


def _find(session: Session, name: str) -> Operator | None:
    return session.scalar(select(Operator).where(Operator.name == name))


def _hashed(name: str, password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise PointctlError(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters"
        )
    if name in password.lower() or len(set(password)) < 5:
        raise PointctlError("that password is too easy to guess")
    with _few_at_once:
        return _hasher.hash(password)


def _audit(
    session: Session, name: str, what: str, who: str, note: str | None = None
) -> None:
    audit.record_other(session.connection(), f"operator {name}", what, who, note)


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody's password")

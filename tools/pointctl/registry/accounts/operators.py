"""Operators: the people and programs that may use the registry, and their roles."""

import hashlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TypedDict

import argon2
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.storage import etags
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import (
    Operator,
    OperatorSession,
    Role,
    format_time,
)

MIN_PASSWORD, MAX_PASSWORD = 12, 128
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")

_hasher = argon2.PasswordHasher()
# Each hash takes 64 MB for a moment. Only an attacker needs many at once.
_hashing_slots = threading.BoundedSemaphore(2)


class UnknownOperator(PointctlError):
    """No operator has this name."""


@dataclass(frozen=True)
class Actor:
    """Who acts: an operator's name, or `name/label` for a token."""

    name: str
    role: Role


class OperatorSummary(TypedDict):
    """An operator as it is printed, without the password's hash."""

    name: str
    role: str
    has_password: bool
    created_at: str | None
    disabled_at: str | None
    seen_at: str | None


def is_valid_name(name: str) -> bool:
    """Whether an operator may have this name."""
    return _NAME.fullmatch(name) is not None


def hash_secret(secret: str) -> str:
    """Return the hash of a cookie or a token, by which the registry recognizes it.

    These secrets are random and long, so a plain hash cannot be reversed by guessing.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def add(
    database: Database, name: str, role: Role, password: str | None, who: str
) -> None:
    """Add an operator; one without a password can only use tokens.

    Raises PointctlError for an invalid name or password, Refused for a name that is
    taken, also by a disabled operator.
    """
    if not is_valid_name(name):
        raise PointctlError(
            f"{name!r} is not an operator's name: use up to 32 of a-z 0-9 . _ - and "
            "begin with a letter or a digit"
        )
    hashed = None if password is None else _hash_password(name, password)
    with database.exclusive() as session:
        if _find(session, name) is not None:
            raise Refused(f"the operator {name} exists already; choose another name")
        now = datetime.now(UTC)
        session.add(
            Operator(name=name, role=role, password_hash=hashed, created_at=now)
        )
        _audit(session, name, "operator added", who, role.value)


def list_operators(database: Database) -> Sequence[Operator]:
    """Return all operators, by name."""
    with database.snapshot() as session:
        return session.scalars(select(Operator).order_by(Operator.name)).all()


def get(database: Database, name: str) -> Operator:
    """Return the operator of this name. Raises UnknownOperator."""
    with database.snapshot() as session:
        return find(session, name)


def has_active_operator(database: Database) -> bool:
    """Whether there is an operator who is not disabled."""
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

    Operators are never deleted, because the audit names them. Raises UnknownOperator,
    PointctlError for a weak password, Refused if no admin would remain, and
    etags.Changed if `etag` is given and is not that of the operator's summary.
    """
    hashed = None if password is None else _hash_password(name, password)
    with database.exclusive() as session:
        operator = find(session, name)
        etags.check(etag, summarize(operator), "operator")
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
            _check_admin_remains(session)
        session.execute(
            delete(OperatorSession).where(OperatorSession.operator_id == operator.id)
        )


def is_password_correct(operator: Operator | None, password: str) -> bool:
    """Whether it is the operator's password.

    No password is correct for an operator who is disabled or unknown; the check then
    takes as long, so that its time does not reveal which names exist.
    """
    hashed = operator and not operator.disabled_at and operator.password_hash
    try:
        with _hashing_slots:
            _hasher.verify(hashed or _dummy_hash(), password[: MAX_PASSWORD + 1])
    except argon2.exceptions.VerifyMismatchError:
        return False
    return bool(hashed)


def find(session: Session, name: str) -> Operator:
    """Return the operator of this name. Raises UnknownOperator."""
    operator = _find(session, name)
    if operator is None:
        raise UnknownOperator(
            f"there is no operator {name!r}; see pointctl operators list"
        )
    return operator


def summarize(operator: Operator) -> OperatorSummary:
    """Describe an operator without the password's hash."""
    return {
        "name": operator.name,
        "role": operator.role.value,
        "has_password": operator.password_hash is not None,
        "created_at": format_time(operator.created_at),
        "disabled_at": format_time(operator.disabled_at),
        "seen_at": format_time(operator.seen_at),
    }


def _check_admin_remains(session: Session) -> None:
    query = select(Operator.id).where(
        Operator.role == Role.ADMIN, Operator.disabled_at.is_(None)
    )
    if session.scalar(query.limit(1)) is None:
        raise Refused("this is the last admin; make another operator an admin first")


def _find(session: Session, name: str) -> Operator | None:
    return session.scalar(select(Operator).where(Operator.name == name))


def _hash_password(name: str, password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise PointctlError(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters"
        )
    if name in password.lower() or len(set(password)) < 5:
        raise PointctlError(
            "the password is too easy to guess: use at least 5 different characters, "
            "without the operator's name"
        )
    with _hashing_slots:
        return _hasher.hash(password)


def _audit(
    session: Session, name: str, what: str, who: str, note: str | None = None
) -> None:
    audit.record_other(session.connection(), f"operator {name}", what, who, note)


@cache
def _dummy_hash() -> str:
    return _hasher.hash("nobody's password")

"""Tokens: what programs show to the API instead of a name and a password."""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.accounts import operators
from pointctl.registry.accounts.operators import Actor
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Operator, Role, Token, moment

PREFIX = "pointctl_"  # by which scanners for leaked secrets can know it
DAYS = 365
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,30}")
_NOTED_EVERY = timedelta(minutes=1)  # a request should cost no write


class UnknownToken(PointctlError):
    """The operator has no token of this label."""


def add(
    database: Database, name: str, label: str, role: Role, days: int, who: str
) -> str:
    """Make a token of the operator `name`; only its hash stays in the registry.

    Raises UnknownOperator, PointctlError for a label that will not do, Refused where it
    is taken, or the operator may do less than the token should.
    """
    if not _LABEL.fullmatch(label):
        raise PointctlError("a label is up to 31 of a-z 0-9 . _ -")
    token, now = PREFIX + secrets.token_urlsafe(32), datetime.now(UTC)
    with database.exclusive() as session:
        operator = operators.find(session, name)
        if not operator.role.covers(role):
            raise Refused(f"{name} is only {operator.role.value}")
        if _find(session, operator.id, label) is not None:
            raise Refused(f"{name} has had a token {label}; take another label")
        session.add(
            Token(
                operator_id=operator.id,
                label=label,
                role=role,
                token_hash=operators.digest(token),
                created_at=now,
                expires_at=now + timedelta(days=days),
            )
        )
        _audit(session, name, "token added", who, f"{label}: {role.value}, {days} days")
    return token


def listed(database: Database, name: str) -> Sequence[Token]:
    """The tokens of an operator, by label. Raises UnknownOperator."""
    with database.snapshot() as session:
        operator = operators.find(session, name)
        query = select(Token).where(Token.operator_id == operator.id)
        return session.scalars(query.order_by(Token.label)).all()


def revoke(database: Database, name: str, label: str, who: str) -> None:
    """Let nobody in with this token. Raises UnknownOperator, UnknownToken."""
    with database.exclusive() as session:
        token = _find(session, operators.find(session, name).id, label)
        if token is None:
            raise UnknownToken("the operator has no such token")
        if token.revoked_at is None:
            token.revoked_at = datetime.now(UTC)
            _audit(session, name, "token revoked", who, label)


def holder(database: Database, token: str) -> Actor | None:
    """Who shows this token; None where it is nobody's, expired or revoked.

    It never does more than its operator may by now.
    """
    now = datetime.now(UTC)
    query = (
        select(Token, Operator.name, Operator.role)
        .join_from(Token, Operator)
        .where(Token.token_hash == operators.digest(token))
        .where(Token.revoked_at.is_(None), Token.expires_at > now)
        .where(Operator.disabled_at.is_(None))
    )
    with database.snapshot() as session:
        found = session.execute(query).one_or_none()
    if found is None:
        return None
    if not found.Token.used_at or found.Token.used_at < now - _NOTED_EVERY:
        noting = update(Token).where(Token.id == found.Token.id)
        with database.exclusive() as session:
            session.execute(noting.values(used_at=now))
    role = found.Token.role if found.role.covers(found.Token.role) else found.role
    return Actor(f"{found.name}/{found.Token.label}", role)


def summary(token: Token) -> dict[str, Any]:
    """A token for people and programs; the token itself nobody has."""
    return {
        "label": token.label,
        "role": token.role.value,
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at),
        "revoked_at": moment(token.revoked_at),
        "used_at": moment(token.used_at),
    }


def _find(session: Session, operator_id: int, label: str) -> Token | None:
    return session.scalar(
        select(Token).where(Token.operator_id == operator_id, Token.label == label)
    )


def _audit(session: Session, name: str, what: str, who: str, note: str) -> None:
    audit.record_other(session.connection(), f"operator {name}", what, who, note)

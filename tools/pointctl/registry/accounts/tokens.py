"""Tokens, which programs send to the API instead of a name and a password."""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.accounts import operators
from pointctl.registry.accounts.operators import Actor
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Operator, Role, Token, format_time

PREFIX = "pointctl_"  # so that scanners for leaked secrets recognize it
DAYS = 365
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,30}")
_NOTE_INTERVAL = timedelta(minutes=1)  # so that most requests need no write


class UnknownToken(PointctlError):
    """The operator has no token of this label."""


class TokenSummary(TypedDict):
    """A token as it is printed, without the token itself, which is not stored."""

    label: str
    role: str
    created_at: str | None
    expires_at: str | None
    revoked_at: str | None
    used_at: str | None


def add(
    database: Database, name: str, label: str, role: Role, days: int, who: str
) -> str:
    """Make a token of the operator `name`; the registry stores only its hash.

    Raises UnknownOperator, PointctlError for an invalid label, Refused for a label that
    is taken, and for a role above the operator's own.
    """
    if not _LABEL.fullmatch(label):
        raise PointctlError(
            f"{label!r} is not a token's label: use up to 31 of a-z 0-9 . _ - and "
            "begin with a letter or a digit"
        )
    token, now = PREFIX + secrets.token_urlsafe(32), datetime.now(UTC)
    with database.exclusive() as session:
        operator = operators.find(session, name)
        if not operator.role.covers(role):
            raise Refused(
                f"{name} has only the role {operator.role.value}; a token cannot have "
                f"the role {role.value}"
            )
        if _find(session, operator.id, label) is not None:
            raise Refused(f"{name} has or had a token {label}; choose another label")
        session.add(
            Token(
                operator_id=operator.id,
                label=label,
                role=role,
                token_hash=operators.hash_secret(token),
                created_at=now,
                expires_at=now + timedelta(days=days),
            )
        )
        _audit(session, name, "token added", who, f"{label}: {role.value}, {days} days")
    return token


def list_tokens(database: Database, name: str) -> Sequence[Token]:
    """Return the tokens of an operator, by label. Raises UnknownOperator."""
    with database.snapshot() as session:
        operator = operators.find(session, name)
        query = select(Token).where(Token.operator_id == operator.id)
        return session.scalars(query.order_by(Token.label)).all()


def revoke(database: Database, name: str, label: str, who: str) -> None:
    """Make a token invalid for good. Raises UnknownOperator, UnknownToken."""
    with database.exclusive() as session:
        token = _find(session, operators.find(session, name).id, label)
        if token is None:
            raise UnknownToken(f"the operator {name} has no token {label!r}")
        if token.revoked_at is None:
            token.revoked_at = datetime.now(UTC)
            _audit(session, name, "token revoked", who, label)


def find_holder(database: Database, token: str) -> Actor | None:
    """Return the holder of this token; None if it is unknown, expired or revoked.

    Its role is at most the role that its operator has now.
    """
    now = datetime.now(UTC)
    query = (
        select(Token, Operator.name, Operator.role)
        .join_from(Token, Operator)
        .where(Token.token_hash == operators.hash_secret(token))
        .where(Token.revoked_at.is_(None), Token.expires_at > now)
        .where(Operator.disabled_at.is_(None))
    )
    with database.snapshot() as session:
        found = session.execute(query).one_or_none()
    if found is None:
        return None
    if not found.Token.used_at or found.Token.used_at < now - _NOTE_INTERVAL:
        noting = update(Token).where(Token.id == found.Token.id)
        with database.exclusive() as session:
            session.execute(noting.values(used_at=now))
    role = found.Token.role if found.role.covers(found.Token.role) else found.role
    return Actor(f"{found.name}/{found.Token.label}", role)


def summarize(token: Token) -> TokenSummary:
    """Describe a token without the token itself, which is not stored."""
    return {
        "label": token.label,
        "role": token.role.value,
        "created_at": format_time(token.created_at),
        "expires_at": format_time(token.expires_at),
        "revoked_at": format_time(token.revoked_at),
        "used_at": format_time(token.used_at),
    }


def _find(session: Session, operator_id: int, label: str) -> Token | None:
    return session.scalar(
        select(Token).where(Token.operator_id == operator_id, Token.label == label)
    )


def _audit(session: Session, name: str, what: str, who: str, note: str) -> None:
    audit.record_other(session.connection(), f"operator {name}", what, who, note)

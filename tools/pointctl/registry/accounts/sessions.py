"""Browsers that are logged in: one row each, so that any process knows them all."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update

from pointctl.errors import PointctlError
from pointctl.registry import audit, rate_limits
from pointctl.registry.accounts import operators
from pointctl.registry.accounts.operators import Actor
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Operator, OperatorSession

IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
_NOTED_EVERY = timedelta(minutes=1)  # a page should cost no write


class WrongPassword(PointctlError):
    """The name or the password is wrong, or the operator is disabled."""


class TooManyTries(PointctlError):
    """Too many wrong passwords, from one address or for one name."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many wrong passwords; wait {wait_s} s")
        self.wait_s = wait_s


@dataclass(frozen=True)
class Browser:
    """A browser that is logged in, and the word that its forms must hold."""

    actor: Actor
    csrf: str = field(repr=False)


def log_in(database: Database, name: str, password: str, address: str) -> str:
    """The cookie of a new session. Raises WrongPassword, TooManyTries."""
    name = name if operators.may_be_called(name) else ""
    tries = rate_limits.login_limits(address, name)
    with database.snapshot() as session:
        wait_s = rate_limits.wait_s(session.connection(), tries)
        operator = session.scalar(select(Operator).where(Operator.name == name))
    if wait_s is not None:
        raise TooManyTries(wait_s)
    if not operators.password_holds(operator, password) or operator is None:
        rate_limits.charge(database, tries)
        raise WrongPassword("the name or the password is wrong")
    cookie, now = secrets.token_urlsafe(32), datetime.now(UTC)
    with database.exclusive() as session:
        session.execute(delete(OperatorSession).where(_over(now)))
        session.add(
            OperatorSession(
                cookie_hash=operators.digest(cookie),
                operator_id=operator.id,
                csrf=secrets.token_urlsafe(32),
                created_at=now,
                seen_at=now,
            )
        )
        session.get_one(Operator, operator.id).seen_at = now
        audit.record_other(session.connection(), f"operator {name}", "logged in", name)
    return cookie


def find(database: Database, cookie: str, *, in_use: bool = True) -> Browser | None:
    """Whose cookie it is; None if it is nobody's, or was left alone for too long.

    A page that asks by itself is not `in_use`: it keeps no session from its end.
    """
    cookie_hash, now = operators.digest(cookie), datetime.now(UTC)
    query = (
        select(OperatorSession, Operator.name, Operator.role)
        .join_from(OperatorSession, Operator)
        .where(OperatorSession.cookie_hash == cookie_hash, ~_over(now))
        .where(Operator.disabled_at.is_(None))
    )
    with database.snapshot() as session:
        found = session.execute(query).one_or_none()
    if found is None:
        return None
    if in_use and found.OperatorSession.seen_at < now - _NOTED_EVERY:
        noting = update(OperatorSession).where(
            OperatorSession.cookie_hash == cookie_hash
        )
        with database.exclusive() as session:
            session.execute(noting.values(seen_at=now))
    return Browser(Actor(found.name, found.role), found.OperatorSession.csrf)


def log_out(database: Database, cookie: str) -> None:
    """End a session. One that has ended stays so."""
    with database.exclusive() as session:
        session.execute(
            delete(OperatorSession).where(
                OperatorSession.cookie_hash == operators.digest(cookie)
            )
        )


def _over(now: datetime) -> ColumnElement[bool]:
    return or_(
        OperatorSession.seen_at < now - IDLE, OperatorSession.created_at < now - LONGEST
    )

"""Sessions of the console, stored as rows so that every process knows them."""

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
_NOTE_INTERVAL = timedelta(minutes=1)  # so that most pages need no write


class WrongPassword(PointctlError):
    """The name or the password is wrong, or the operator is disabled."""


class TooManyTries(PointctlError):
    """Too many wrong passwords, from one address or for one name."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many wrong passwords; wait {wait_s} s")
        self.wait_s = wait_s


@dataclass(frozen=True)
class Browser:
    """A browser that is logged in, and the CSRF token that its forms must send."""

    actor: Actor
    csrf: str = field(repr=False)


def log_in(database: Database, name: str, password: str, address: str) -> str:
    """Begin a session, and return its cookie. Raises WrongPassword, TooManyTries."""
    name = name if operators.is_valid_name(name) else ""
    tries = rate_limits.login_limits(address, name)
    with database.snapshot() as session:
        wait_s = rate_limits.wait_s(session.connection(), tries)
        operator = session.scalar(select(Operator).where(Operator.name == name))
    if wait_s is not None:
        raise TooManyTries(wait_s)
    if not operators.is_password_correct(operator, password) or operator is None:
        rate_limits.charge(database, tries)
        raise WrongPassword("the name or the password is wrong")
    cookie, now = secrets.token_urlsafe(32), datetime.now(UTC)
    with database.exclusive() as session:
        session.execute(delete(OperatorSession).where(_is_over(now)))
        session.add(
            OperatorSession(
                cookie_hash=operators.hash_secret(cookie),
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
    """Return the session of this cookie; None if there is none or it has expired.

    A request that a page makes on its own is not `in_use`: it does not extend the
    session.
    """
    cookie_hash, now = operators.hash_secret(cookie), datetime.now(UTC)
    query = (
        select(OperatorSession, Operator.name, Operator.role)
        .join_from(OperatorSession, Operator)
        .where(OperatorSession.cookie_hash == cookie_hash, ~_is_over(now))
        .where(Operator.disabled_at.is_(None))
    )
    with database.snapshot() as session:
        found = session.execute(query).one_or_none()
    if found is None:
        return None
    if in_use and found.OperatorSession.seen_at < now - _NOTE_INTERVAL:
        noting = update(OperatorSession).where(
            OperatorSession.cookie_hash == cookie_hash
        )
        with database.exclusive() as session:
            session.execute(noting.values(seen_at=now))
    return Browser(Actor(found.name, found.role), found.OperatorSession.csrf)


def log_out(database: Database, cookie: str) -> None:
    """End a session. Does nothing if it has ended already."""
    with database.exclusive() as session:
        session.execute(
            delete(OperatorSession).where(
                OperatorSession.cookie_hash == operators.hash_secret(cookie)
            )
        )


def _is_over(now: datetime) -> ColumnElement[bool]:
    return or_(
        OperatorSession.seen_at < now - IDLE, OperatorSession.created_at < now - LONGEST
    )

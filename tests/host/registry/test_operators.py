"""Operators, sessions and tokens: who is let in, and for how long."""

import sqlite3
from datetime import UTC, datetime, timedelta

import argon2
import pytest
from sqlalchemy import select, update

from pointctl.errors import PointctlError, Refused
from pointctl.registry.accounts import operators, sessions, tokens
from pointctl.registry.accounts.operators import Actor
from pointctl.registry.storage.models import (
    AuditEntry,
    Operator,
    OperatorSession,
    Role,
    Token,
)
from tests.host.serving import ON_BOTH

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """A hash that is slow by design is slow for a hundred tests, too."""
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(operators, "_hasher", quick)


@pytest.fixture
def people(database):
    """A registry with an operator of each role, called by it."""
    for role in Role:
        operators.add(database, role.value, role, PASSWORD, "test")
    return database


def audited(database):
    """What the audit holds of what is no device: (subject, what, who, note)."""
    with database.snapshot() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(e.subject, e.what, e.who, e.note) for e in entries if e.subject]


def change(database, table, **values):
    """Change all rows of a table."""
    with database.exclusive() as session:
        session.execute(update(table).values(values))


def test_roles_are_ranks():
    """Each may do what those before it may."""
    assert [
        [role.covers(needed) for needed in Role] for role in (Role.VIEWER, Role.ADMIN)
    ] == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize("name", ["", "Ann", "-a", "a b", "a/b", "a" * 33, "ä"])
def test_names_fit_logs_and_urls(database, name):
    """A slash is what a token's actor has."""
    with pytest.raises(PointctlError, match="not an operator's name"):
        operators.add(database, name, Role.VIEWER, PASSWORD, "test")


@pytest.mark.parametrize("password", ["short", "x" * 129, "my-name-is-ann", "a" * 12])
def test_weak_passwords(database, password):
    """Nothing is stored."""
    with pytest.raises(PointctlError, match="password"):
        operators.add(database, "ann", Role.VIEWER, password, "test")
    assert operators.list_operators(database) == []


def test_a_name_is_taken_for_ever(people):
    """The audit names operators: nobody gets the name of another."""
    operators.change(people, "viewer", "test", disabled=True)
    with pytest.raises(Refused, match="exists"):
        operators.add(people, "viewer", Role.VIEWER, PASSWORD, "test")


@ON_BOTH
def test_somebody_stays_admin(people):
    """Neither a role nor a disabling leaves nobody who can undo it."""
    with pytest.raises(Refused, match="the last admin"):
        operators.change(people, "admin", "test", role=Role.VIEWER)
    with pytest.raises(Refused, match="the last admin"):
        operators.change(people, "admin", "test", disabled=True)
    assert operators.get(people, "admin").role is Role.ADMIN
    operators.change(people, "viewer", "test", role=Role.ADMIN)
    operators.change(people, "admin", "test", disabled=True)


@ON_BOTH
def test_changes_are_audited(database):
    """With who did it; a refused one leaves nothing."""
    operators.add(database, "ann", Role.ADMIN, PASSWORD, "root")
    operators.add(database, "bob", Role.VIEWER, None, "ann")
    operators.change(database, "bob", "ann", role=Role.OPERATOR)
    tokens.add(database, "bob", "ci", Role.VIEWER, 9, "ann")
    tokens.revoke(database, "bob", "ci", "ann")
    with pytest.raises(Refused):
        operators.change(database, "ann", "ann", role=Role.VIEWER)
    assert audited(database)[2:] == [
        ("operator ann", "operator added", "root", "admin"),
        ("operator bob", "operator added", "ann", "viewer"),
        ("operator bob", "role set", "ann", "operator"),
        ("operator bob", "token added", "ann", "ci: viewer, 9 days"),
        ("operator bob", "token revoked", "ann", "ci"),
    ]


@ON_BOTH
def test_logging_in_and_out(people):
    """A cookie is good until it is given back."""
    cookie = sessions.log_in(people, "operator", PASSWORD, HERE)
    found = sessions.find(people, cookie)
    assert found is not None
    assert found.actor == Actor("operator", Role.OPERATOR)
    assert len(found.csrf) == 43
    assert sessions.find(people, cookie + "x") is None
    sessions.log_out(people, cookie)
    assert sessions.find(people, cookie) is None
    assert operators.get(people, "operator").seen_at is not None


@pytest.mark.parametrize(
    ("name", "password"),
    [("nobody", PASSWORD), ("viewer", "wrong"), ("viewer", ""), ("token-only", "")],
)
def test_who_is_not_let_in(people, name, password):
    """One answer for all."""
    operators.add(people, "token-only", Role.VIEWER, None, "test")
    with pytest.raises(sessions.WrongPassword, match="the name or the password"):
        sessions.log_in(people, name, password, HERE)


@ON_BOTH
def test_guessing_is_slow(people, standing_clock):
    """From one address soon, for one name from many addresses later; not for others."""
    for _ in range(10):
        with pytest.raises(sessions.WrongPassword):
            sessions.log_in(people, "nobody", "guess", HERE)
    with pytest.raises(sessions.TooManyTries, match=r"wait \d s") as slow:
        sessions.log_in(people, "viewer", PASSWORD, HERE)
    assert 0 < slow.value.wait_s <= 6
    assert sessions.log_in(people, "viewer", PASSWORD, "192.0.2.2")
    for number in range(30):
        with pytest.raises(sessions.WrongPassword):
            sessions.log_in(people, "viewer", "guess", f"198.51.100.{number}")
    with pytest.raises(sessions.TooManyTries):
        sessions.log_in(people, "viewer", PASSWORD, "192.0.2.2")
    assert sessions.log_in(people, "admin", PASSWORD, "192.0.2.2")


@ON_BOTH
@pytest.mark.parametrize("name", ["", "Ann", "a\0b", "a" * 400, "ä"])
def test_what_is_no_name_is_not_looked_for(people, name):
    """A database may not take it at all."""
    with pytest.raises(sessions.WrongPassword):
        sessions.log_in(people, name, PASSWORD, HERE)


@ON_BOTH
@pytest.mark.parametrize(
    "values",
    [
        {"seen_at": datetime.now(UTC) - sessions.IDLE},
        {"created_at": datetime.now(UTC) - sessions.LONGEST},
    ],
)
def test_sessions_end(people, values):
    """Left alone, or after a day's work; the next log-in clears them away."""
    cookie = sessions.log_in(people, "viewer", PASSWORD, HERE)
    change(people, OperatorSession, **values)
    assert sessions.find(people, cookie) is None
    sessions.log_in(people, "viewer", PASSWORD, HERE)
    with people.snapshot() as session:
        assert len(session.scalars(select(OperatorSession)).all()) == 1


@ON_BOTH
def test_a_session_in_use_goes_on(people):
    """That it is in use is noted once a minute; a page that asks by itself is not."""
    cookie = sessions.log_in(people, "viewer", PASSWORD, HERE)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    change(people, OperatorSession, seen_at=an_hour_ago)
    assert sessions.find(people, cookie, in_use=False)
    with people.snapshot() as session:
        assert session.scalars(select(OperatorSession.seen_at)).all() == [an_hour_ago]
    assert sessions.find(people, cookie)
    with people.snapshot() as session:
        (noted,) = session.scalars(select(OperatorSession.seen_at))
    assert datetime.now(UTC) - noted < timedelta(minutes=1)


@pytest.mark.parametrize(
    "act",
    [
        lambda db: operators.change(db, "operator", "test", role=Role.ADMIN),
        lambda db: operators.change(db, "operator", "test", disabled=True),
        lambda db: operators.change(db, "operator", "test", password=PASSWORD + "!"),
    ],
    ids=["role", "disabled", "password"],
)
def test_a_change_of_an_operator_ends_its_sessions(people, act):
    """And nobody else's."""
    cookie = sessions.log_in(people, "operator", PASSWORD, HERE)
    others = sessions.log_in(people, "viewer", PASSWORD, HERE)
    act(people)
    assert sessions.find(people, cookie) is None
    assert sessions.find(people, others) is not None


def test_a_disabled_operator_is_let_in_again(people):
    """With the password it had."""
    operators.change(people, "viewer", "test", disabled=True)
    with pytest.raises(sessions.WrongPassword):
        sessions.log_in(people, "viewer", PASSWORD, HERE)
    operators.change(people, "viewer", "test", disabled=False)
    assert sessions.log_in(people, "viewer", PASSWORD, HERE)


@ON_BOTH
def test_tokens(people):
    """It names its operator and itself, until it is revoked."""
    token = tokens.add(people, "operator", "ci", Role.VIEWER, 1, "test")
    assert tokens.find_holder(people, token) == Actor("operator/ci", Role.VIEWER)
    assert tokens.find_holder(people, token[:-1]) is None
    (listed,) = tokens.list_tokens(people, "operator")
    assert listed.used_at is not None
    tokens.revoke(people, "operator", "ci", "test")
    assert tokens.find_holder(people, token) is None
    with pytest.raises(Refused, match="has or had"):
        tokens.add(people, "operator", "ci", Role.VIEWER, 1, "test")
    with pytest.raises(tokens.UnknownToken):
        tokens.revoke(people, "operator", "other", "test")


@ON_BOTH
def test_a_token_does_not_outdo_its_operator(people):
    """Neither when it is made nor when the operator is given less."""
    with pytest.raises(Refused, match="only the role operator"):
        tokens.add(people, "operator", "ci", Role.ADMIN, 1, "test")
    token = tokens.add(people, "operator", "ci", Role.OPERATOR, 1, "test")
    operators.change(people, "operator", "test", role=Role.VIEWER)
    assert tokens.find_holder(people, token) == Actor("operator/ci", Role.VIEWER)
    operators.change(people, "operator", "test", disabled=True)
    assert tokens.find_holder(people, token) is None


def test_tokens_expire(people):
    """To the second."""
    token = tokens.add(people, "viewer", "ci", Role.VIEWER, 1, "test")
    change(people, Token, expires_at=datetime.now(UTC))
    assert tokens.find_holder(people, token) is None


def test_nothing_that_lets_in_is_kept(people, data):
    """Neither in the database's file nor in what is printed of its objects."""
    cookie = sessions.log_in(people, "viewer", PASSWORD, HERE)
    token = tokens.add(people, "viewer", "ci", Role.VIEWER, 1, "test")
    browser = sessions.find(people, cookie)
    assert browser is not None
    assert browser.csrf not in repr(browser)
    with people.snapshot() as session:
        (hashed,) = set(session.scalars(select(Operator.password_hash))) & {
            operators.get(people, "viewer").password_hash
        }
    assert hashed.startswith("$argon2id$")
    connection = sqlite3.connect(data.registry)
    dumped = "\n".join(connection.iterdump())
    connection.close()
    assert all(secret not in dumped for secret in (cookie, token, PASSWORD))


def test_the_commands(pointctl, data, tmp_path):
    """Passwords come from files, tokens go to files, and neither is printed."""
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    add = ("operators", "add", "--password-file", password)
    assert pointctl(*add, "ann", "--role", "admin").code == 0
    assert pointctl("operators", "add", "bob", "--no-password").code == 0
    assert pointctl("operators", "role", "bob", "operator").code == 0
    file = tmp_path / "token"
    token = ("operators", "token")
    made = pointctl(*token, "add", "bob", "ci", "--role", "operator", "--out", file)
    assert made.code == 0
    assert file.read_text().strip() not in made.out + made.err
    assert file.stat().st_mode & 0o777 == 0o600
    refused = pointctl(*token, "add", "bob", "x", "--role", "admin", "--out", file)
    assert refused.code == 3
    assert file.read_text().startswith(tokens.PREFIX)  # what was there stays
    (listed,) = pointctl(*token, "list", "bob", "--json").json
    assert (listed["label"], listed["revoked_at"]) == ("ci", None)
    assert pointctl(*token, "revoke", "bob", "ci").code == 0
    assert (
        pointctl("operators", "password", "bob", "--password-file", password).code == 0
    )
    assert pointctl("operators", "disable", "bob").code == 0
    names = {
        each["name"]: each for each in pointctl("operators", "list", "--json").json
    }
    assert names["bob"]["disabled_at"]
    assert names["bob"]["has_password"]
    assert pointctl("operators", "enable", "bob").code == 0
    assert pointctl("operators", "disable", "ann").code == 3
    assert pointctl("operators", "password", "eve").code == 1


def test_a_password_is_asked_for_twice(pointctl, monkeypatch):
    """At a terminal only."""
    no_terminal = pointctl("operators", "add", "ann")
    assert (no_terminal.code, "no terminal" in no_terminal.err) == (1, True)
    typed = iter([PASSWORD, PASSWORD, PASSWORD, "something else"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    assert pointctl("operators", "add", "ann").code == 0
    assert "passwords differ" in pointctl("operators", "add", "bob").err

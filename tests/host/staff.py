"""Operators for the tests of the API and the console, and how each calls."""

import argon2
import pytest
from fastapi.testclient import TestClient

from pointctl.registry.accounts import operators, sessions, tokens
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Role
from pointctl.server.app import create_app
from pointctl.server.console.session_dependency import COOKIE
from tests.host.serving import KEYS

PASSWORD = "correct horse battery"


class Staff:
    """Clients of one application in this process, for each role and for strangers."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.app = create_app(database, KEYS)

    def stranger(self) -> TestClient:
        """Nobody knows it."""
        return TestClient(
            self.app, base_url="https://localhost", follow_redirects=False
        )

    def program(self, role: Role) -> TestClient:
        """It shows a token."""
        client = self.stranger()
        number = len(tokens.list_tokens(self.database, role.value))
        names = role.value, f"t{number}", role
        token = tokens.add(self.database, *names, 1, "test")
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def browser(self, role: Role) -> tuple[TestClient, str]:
        """It is logged in; and the word that its forms must hold."""
        client = self.stranger()
        cookie = sessions.log_in(self.database, role.value, PASSWORD, "192.0.2.1")
        client.cookies.set(COOKIE, cookie)
        browser = sessions.find(self.database, cookie)
        assert browser is not None
        return client, browser.csrf


def hire(database: Database, monkeypatch: pytest.MonkeyPatch) -> Staff:
    """An operator of each role, called by it."""
    # A hash that is slow by design is slow for a hundred tests, too.
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(operators, "_hasher", quick)
    for role in Role:
        operators.add(database, role.value, role, PASSWORD, "test")
    return Staff(database)

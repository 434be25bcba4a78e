"""The operator's login at a broker: in a private file, never in arguments."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from pointctl.broker.process import BrokerError
from pointctl.folder import private_file


@dataclass(frozen=True)
class OperatorLogin:
    """A user name and its password."""

    username: str
    password: str = field(repr=False)


def create_login(path: Path) -> OperatorLogin:
    """Return the login in `path`; without a file, write one with a new password."""
    if not path.exists():
        login = OperatorLogin("operator", secrets.token_urlsafe(32))
        with private_file(path) as file:
            json.dump({"username": login.username, "password": login.password}, file)
    return read_login(path)


def read_login(path: Path) -> OperatorLogin:
    """Read a login. Raises BrokerError if it is not one, or others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise BrokerError(f"others may read {path}: chmod 600 {path}")
        given = json.loads(path.read_text(encoding="utf-8"))
        return OperatorLogin(str(given["username"]), str(given["password"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        # The text of a ValueError quotes the file.
        why = error.strerror if isinstance(error, OSError) else "it is not a login"
        raise BrokerError(f"{path}: {why}") from None

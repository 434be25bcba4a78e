"""The operator's login at a broker: a file that nobody else may read, never argv."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from pointctl.broker.process import BrokerError
from pointctl.folder import private_file


@dataclass(frozen=True)
class Login:
    """A user name and its password."""

    username: str
    password: str = field(repr=False)


def make_login(path: Path) -> Login:
    """Return the login in `path`; if there is no such file, make one at random."""
    if not path.exists():
        login = Login("operator", secrets.token_urlsafe(32))
        with private_file(path) as file:
            json.dump({"username": login.username, "password": login.password}, file)
    return read_login(path)


def read_login(path: Path) -> Login:
    """Read a login. Raises BrokerError if it is no login or others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise BrokerError(f"others may read {path}: chmod 600 {path}")
        given = json.loads(path.read_text(encoding="utf-8"))
        return Login(str(given["username"]), str(given["password"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        # The text of a ValueError quotes the file.
        why = error.strerror if isinstance(error, OSError) else "it is no login"
        raise BrokerError(f"{path}: {why}") from None

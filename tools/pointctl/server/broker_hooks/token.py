"""The token by which a broker proves itself to the hooks: a file, never argv."""

import re
import secrets
from pathlib import Path

from pointctl.errors import PointctlError
from pointctl.folder import private_file

_TOKEN = re.compile(r"[0-9A-Za-z_-]{32,256}")  # RabbitMQ has it in a path


def make_token(path: Path) -> bool:
    """Write a random token to `path`; False if there is a file already."""
    if path.exists():
        return False
    with private_file(path) as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    return True


def read_token(path: Path) -> str:
    """Read a token. Raises PointctlError for another text, or if others may read it."""
    if path.stat().st_mode & 0o077:
        raise PointctlError(f"others may read {path}: chmod 600 {path}")
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not _TOKEN.fullmatch(text):
        raise PointctlError(
            f"{path} does not hold a token of 32 to 256 letters, digits, - and _: "
            "remove the file, and the server makes a new one"
        )
    return text

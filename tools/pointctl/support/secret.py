"""Reading a secret that a command needs: from a file, the environment or a prompt."""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pointctl.errors import PointctlError

VARIABLE = "POINTCTL_SECRET"

SecretFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=f"File with the secret; else {VARIABLE}, else you are asked for it.",
    ),
]


def read_secret(path: Path | None) -> str:
    """Read the secret. Raises PointctlError without one, or if others may read it."""
    if path is not None:
        return read_secret_file(path)
    if VARIABLE in os.environ:
        secret = os.environ[VARIABLE]
    elif sys.stdin.isatty():
        secret = getpass.getpass("secret: ")
    else:
        raise PointctlError(f"no secret: name a --secret-file, or set {VARIABLE}")
    if not secret:
        raise PointctlError("the secret is empty")
    return secret


def read_secret_file(path: Path) -> str:
    """Read a secret. Raises PointctlError if it is empty or others may read it."""
    with path.open(encoding="utf-8", errors="replace") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise PointctlError(f"others may read {path}: chmod 600 {path}")
        secret = file.read().rstrip("\r\n")
    if not secret:
        raise PointctlError(f"{path} is empty")
    return secret

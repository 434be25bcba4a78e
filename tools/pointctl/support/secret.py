"""A secret that a command is given: by a file, the environment or a prompt."""

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
        help=f"File with the secret; else {VARIABLE}, else it is asked for.",
    ),
]


def read_secret(path: Path | None) -> str:
    """The secret. Raises PointctlError if there is none or others may read its file."""
    if path is not None:
        return read_file(path)
    if VARIABLE in os.environ:
        secret = os.environ[VARIABLE]
    elif sys.stdin.isatty():
        secret = getpass.getpass("secret: ")
    else:
        raise PointctlError(f"no secret: name a --secret-file, or set {VARIABLE}")
    if not secret:
        raise PointctlError("the secret is empty")
    return secret


def read_file(path: Path) -> str:
    """A secret in a file. Raises PointctlError if it is empty or others may read it."""
    with path.open(encoding="utf-8", errors="replace") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise PointctlError(f"others may read {path}: chmod 600 {path}")
        secret = file.read().rstrip("\r\n")
    if not secret:
        raise PointctlError(f"{path} is empty")
    return secret

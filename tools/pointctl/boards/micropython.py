"""Find the MicroPython unix port on this machine; nothing is installed."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pointctl.boards.flash import CHECKOUT
from pointctl.errors import PointctlError

_HINT = "run `make demo` in a checkout, which fetches it, or set {0} to its path"


@dataclass(frozen=True)
class MicroPython:
    """A unix port that runs, and the micropython-lib packages for it."""

    command: Path
    libraries: Path
    version: str


def find() -> MicroPython:
    """Return the port that MICROPYTHON names, `make` fetched, or the PATH has.

    Raises PointctlError that says how to get one.
    """
    cache = CHECKOUT / ".cache"
    command = _first(
        os.environ.get("MICROPYTHON"),
        cache / "micropython/bin/micropython",
        shutil.which("micropython"),
    )
    if command is None:
        raise PointctlError("MicroPython was not found; " + _HINT.format("MICROPYTHON"))
    libraries = _first(os.environ.get("MICROPYTHON_LIB"), cache / "micropython-lib")
    if libraries is None or not (libraries / "umqtt/simple.py").is_file():
        raise PointctlError("umqtt was not found; " + _HINT.format("MICROPYTHON_LIB"))
    return MicroPython(command, libraries, _version(command))


def _first(*candidates: str | Path | None) -> Path | None:
    return next((Path(c) for c in candidates if c and Path(c).exists()), None)


def _version(command: Path) -> str:
    question = "import sys; print('.'.join(map(str, sys.implementation[1][:3])))"
    try:
        done = subprocess.run(
            [command, "-c", question],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PointctlError(f"{command} does not run: {error}") from error
    return done.stdout.strip()

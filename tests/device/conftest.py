"""pytest collects the device tests on CPython; this is what tests/run.py does there."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent

# Appended: what is already there comes first.
for folder in (
    TESTS / "device",
    ROOT,
    TESTS / "shims",
    ROOT / ".cache/micropython-lib",
):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

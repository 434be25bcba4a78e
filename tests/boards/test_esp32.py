"""The ESP32's adapter with the scripted modem, on both runtimes."""

from pathlib import Path

import pytest

from tests.boards import runner
from tests.boards.runner import RUNTIMES
from tests.boards.test_esp32_contract import FIRMWARE, SHIMS


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_facts(runtime: str, servers: runner.Servers, tmp_path: Path) -> None:
    """All tests of esp32_facts.py pass."""
    facts = "tests/boards/esp32_facts.py"
    done = runner.run(runtime, FIRMWARE, servers, tmp_path, shims=[SHIMS], tests=facts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(" 0 failed, 0 skipped")

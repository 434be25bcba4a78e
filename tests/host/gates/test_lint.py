"""make lint breaks when it should: each of its three tools, with our configuration."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtimes import ROOT

# What mypy reads, beside main.py.
TYPED = ["tools/pointctl", "bench"]
FOLDERS = [*TYPED, "tests/host", "examples/x", "firmware/template"]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A checkout that holds our configuration and nothing to complain about."""
    for name in ("pyproject.toml", "point/ruff.toml", "firmware/ruff.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "good.py").write_text('"""A module."""\n')
    for file in ("main.py", "firmware/unix/board.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text('"""A module."""\n')
    (tmp_path / "point/good.py").write_text('"""A module."""\n\nX = "%d" % 1\n')
    return tmp_path


def run(house: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tools there."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=house,
        capture_output=True,
        text=True,
    )


def test_nothing_to_complain_about(house: Path) -> None:
    """The house as it is passes all three."""
    assert run(house, "ruff", "check").returncode == 0
    assert run(house, "ruff", "format", "--check").returncode == 0
    assert run(house, "mypy").returncode == 0


@pytest.mark.parametrize(
    ("file", "text", "rule"),
    [
        ("tools/pointctl/bad.py", "import os\n", "F401"),
        ("tools/pointctl/bad.py", 'X = "%d" % 1\n', "UP031"),
        ("point/bad.py", "import json\n\nX = json\n", "TID251"),
        ("point/bad.py", "import dataclasses\n\nX = dataclasses\n", "TID251"),
        ("firmware/bad.py", "X = undefined\n", "F821"),
    ],
)
def test_ruff_check(house: Path, file: str, text: str, rule: str) -> None:
    """Host rules for the host, device rules for the device."""
    (house / file).write_text(text)
    found = run(house, "ruff", "check")
    assert found.returncode == 1
    assert rule in found.stdout


def test_ruff_format(house: Path) -> None:
    """Code in another layout is refused."""
    (house / "point/bad.py").write_text("X = {  'a':1 }\n")
    assert run(house, "ruff", "format", "--check").returncode == 1


def faults(house: Path, files: list[str]) -> list[str]:
    """Where mypy finds something in a house of which it finds something."""
    found = run(house, "mypy")
    assert found.returncode == 1
    lines = [line for line in found.stdout.splitlines() if ": error: " in line]
    places = [line.split(" ")[0].removesuffix(":") for line in lines]
    assert {place.rpartition(":")[0] for place in places} <= set(files), found.stdout
    return sorted(places)


def test_mypy(house: Path) -> None:
    """The host side and the bench are typed; everywhere types hold as far as known."""
    files = [f"{folder}/bad.py" for folder in FOLDERS]
    files += ["main.py", "firmware/unix/board.py"]
    for file in files:
        (house / file).write_text("def half(number):\n    return number / 2\n")
    assert faults(house, files) == sorted(f"{folder}/bad.py:1" for folder in TYPED)
    for file in files:
        (house / file).write_text("WORD = 'a'\n\nWORD + 1\n")
    assert faults(house, files) == sorted(f"{file}:3" for file in files)

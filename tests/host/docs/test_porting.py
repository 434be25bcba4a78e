"""docs/porting.md: its commands, in a copy of this checkout, in its order."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.runtimes import MPY_CROSS_1_13, ROOT, micropython, require

PAGE = (ROOT / "docs/porting.md").read_text(encoding="utf-8")
COPIED = ["boot.py", "main.py", "point", "firmware", "examples", "tools", "tests"]
COPIED += ["Makefile", "pyproject.toml"]
NOT_CODE = shutil.ignore_patterns("__pycache__")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the page works on: the files, and the set-up that make has done."""
    for name in COPIED:
        source, target = ROOT / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=NOT_CODE)
        else:
            shutil.copy(source, target)
    (tmp_path / ".cache").symlink_to(ROOT / ".cache")
    return tmp_path


def run(checkout: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """Run a command of the page there, with this environment's Python."""
    paths = f"{checkout}{os.pathsep}{checkout / 'tools'}"
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def mentioned(command: str) -> str:
    """A command as the page has it: it fails here if the page has another."""
    assert command in PAGE
    return command.removeprefix(".venv/bin/")


def test_the_template_passes_what_reads_it(checkout: Path) -> None:
    """Copied as it is: the dialect, the imports, the names; and then less a name."""
    require("mpy-cross 1.13", MPY_CROSS_1_13, "run make dialect")
    assert mentioned("cp -r firmware/template firmware/mymodem")
    shutil.copytree(checkout / "firmware/template", checkout / "firmware/mymodem")
    assert mentioned("make dialect imports")
    for gate in ("dialect", "imports"):
        done = run(checkout, f"tools/check_{gate}.py")
        assert done.returncode == 0, done.stdout
    read = "-m", mentioned(".venv/bin/pytest tests/boards/test_contract.py").split()[0]
    reading = (*read, "tests/boards/test_contract.py", "-k", "mymodem")
    done = run(checkout, *reading)
    assert "3 passed" in done.stdout, done.stdout
    board = checkout / "firmware/mymodem/board.py"
    board.write_text(board.read_text().replace("def feed()", "def feet()"))
    assert "2 failed, 1 passed" in run(checkout, *reading).stdout


def test_the_page_s_test_runs_the_contract(checkout: Path) -> None:
    """With the template it fails; with an adapter that is written, it passes."""
    micropython()
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    command = mentioned(".venv/bin/pytest tests/boards/test_mymodem.py").split()
    (checkout / command[1]).write_text(source)
    shutil.copytree(checkout / "firmware/template", checkout / "firmware/mymodem")
    done = run(checkout, "-m", *command)
    assert "2 failed" in done.stdout, done.stdout + done.stderr
    # What stands for an afternoon's work, its vendor modules being this machine's.
    shutil.copy(checkout / "firmware/unix/board.py", checkout / "firmware/mymodem")
    done = run(checkout, "-m", *command)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_what_the_page_counts() -> None:
    """How many names the contract has, and how many facts."""
    from tests.boards import runner
    from tests.boards.test_contract import TEMPLATE, shape

    words = {14: "fourteen", 15: "fifteen", 16: "sixteen"}
    assert f"with {words[len(shape(TEMPLATE))]} names" in PAGE
    assert f"the {runner.FACTS} facts" in PAGE
    for name in shape(TEMPLATE):
        assert f"`{name}" in PAGE, name


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("VENDOR", "tools/check_imports.py"),
        ("key_of", "point/seal.py"),
        ("EPOCH", "point/compat.py"),
        ("Client", "point/mqttclient.py"),
        ("Stream", "point/stream.py"),
        ("BoardKind", "tools/pointctl/boards/kinds.py"),
        ("_determine_kind", "tools/pointctl/boards/connection.py"),
        ("_uses_mpremote", "tools/pointctl/boards/connection.py"),
        ("root", "tools/pointctl/boards/flash.py"),
        ("ZIPS", "tools/make_dist.py"),
        ("FROZEN_FOR", "tools/manifests.py"),
    ],
)
def test_what_the_page_points_at(name: str, file: str) -> None:
    """Each thing that it sends a reader to is where it says."""
    assert re.search(rf"`[\w.]*\b{name}\b", PAGE)
    code = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^\s*(?:class |def |){name}\b", code, re.M)


@pytest.mark.parametrize("board", ["esp32", "quecpython"])
def test_modules_of_firmware_are_small(board: str) -> None:
    """They keep the limits of point/, by the command of the page."""
    command = mentioned(".venv/bin/python tools/check_size.py firmware/mymodem")
    done = run(ROOT, command.split()[1], f"firmware/{board}")
    assert done.returncode == 0, done.stdout

"""make types: what firmware/ calls is there, and a call that is not is found."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, require

Check = Callable[..., subprocess.CompletedProcess[str]]
STUBS = ROOT / ".cache/micropython-stubs/esp32.pyi"


@pytest.fixture(autouse=True)
def stubs() -> None:
    """MicroPython's own stubs, which are no Python dependency."""
    require("MicroPython's stubs", STUBS, "run make test")


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """What `make types` runs for one board, over its files or over others."""
    cache = tmp_path_factory.mktemp("cache")

    def run(board: str, *paths: Path) -> subprocess.CompletedProcess[str]:
        configuration = ROOT / f"typings/{board}.ini"
        command = [sys.executable, "-m", "mypy", "--config-file", str(configuration)]
        return subprocess.run(
            [*command, "--cache-dir", str(cache / board), *paths],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    return run


@pytest.mark.parametrize(("board", "others"), [("esp32", 1), ("quecpython", 0)])
def test_our_adapters(board: str, others: int, check: Check) -> None:
    """Every name is there, and every call has the arguments that it takes.

    Of the board's example, too, and of boot.py, which calls what CPython lacks.
    """
    done = check(board)
    assert done.returncode == 0, done.stdout + done.stderr
    folders = f"firmware/{board}", f"examples/{board}_sensor"
    files = others + sum(len(list((ROOT / each).glob("*.py"))) for each in folders)
    assert f"no issues found in {files} source files" in done.stdout


@pytest.mark.parametrize("board", ["esp32", "quecpython"])
def test_our_adapters_are_boards(board: str, check: Check, tmp_path: Path) -> None:
    """With each name that point asks a board for, and the arguments that it gives."""
    folder = tmp_path / "firmware"
    shutil.copytree(ROOT / "firmware" / board, folder)
    (folder / "fits.py").write_text(
        "import board\nfrom point import setup\n\nsetup.prepare(board)\n"
    )
    done = check(board, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (folder / "board.py").read_text(encoding="utf-8")
    assert "def network_time():" in text
    text = text.replace("def network_time():", "def network_time(zone):")
    (folder / "board.py").write_text(text, encoding="utf-8")
    done = check(board, folder)
    assert done.returncode == 1
    assert 'fits.py:4: error: Argument 1 to "prepare"' in done.stdout


@pytest.mark.parametrize(
    ("board", "wrong", "why"),
    [
        ("esp32", "import network; network.PPP(None).conect()", '"conect"; maybe'),
        ("esp32", "import network; network.PPP(None).ipconfig()", "ipconfig"),
        ("esp32", "import machine; machine.WDT(time=60000)", '"time"'),
        ("esp32", "import machine; machine.UART.RTZ", '"RTZ"'),
        ("esp32", "import esp32; esp32.NVS('space').commit(True)", "Too many arg"),
        ("quecpython", "import net; net.setModemFn(1)", '"setModemFn"; maybe'),
        ("quecpython", "import dataCall; dataCall.activate(1, 1)", "Too many arg"),
        ("quecpython", "import machine; machine.RTC().date(())", '"date"'),
        ("quecpython", "import ussl; ussl.wrap_socket(None, cafile='')", '"cafile"'),
        ("quecpython", "import modem; modem.getImei()", '"getImei"'),
    ],
)
def test_a_wrong_call_is_found(
    board: str, wrong: str, why: str, check: Check, tmp_path: Path
) -> None:
    """One letter in a vendor's name, or an argument that it does not take."""
    folder = tmp_path / "firmware"
    shutil.copytree(ROOT / "firmware" / board, folder)
    with (folder / "board.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\ndef wrong():\n    {wrong}\n")
    done = check(board, folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert why in done.stdout
    assert done.stdout.startswith(str(folder / "board.py")), done.stdout


def test_what_only_cpython_has_is_found(check: Check, tmp_path: Path) -> None:
    """The standard library is MicroPython's, not that of this Python."""
    (tmp_path / "code.py").write_text("import json\n\njson.dumps([1], indent=2)\n")
    done = check("esp32", tmp_path / "code.py")
    assert done.returncode == 1
    assert '"indent"' in done.stdout


def test_typings_hold_what_is_used() -> None:
    """No name of QuecPython is described that nothing of ours calls."""
    folders = ROOT / "firmware/quecpython", ROOT / "examples/quecpython_sensor"
    ours = [file for folder in folders for file in folder.glob("*.py")]
    text = "".join(file.read_text(encoding="utf-8") for file in ours)
    used = set(re.findall(r"\w+", text))
    for file in (ROOT / "typings/quecpython").rglob("*.pyi"):
        names = {
            node.name
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }
        assert {name for name in names - used if name[0] != "_"} == set(), file.name


def test_the_probe_for_esp32(check: Check, tmp_path: Path) -> None:
    """What docs/hardware-checklist.md has it run asks for names that it has."""
    page = (ROOT / "docs/hardware-checklist.md").read_text(encoding="utf-8")
    probe = re.findall(r"```python\n(.*?)```", page, re.S)[-1]
    assert "import esp32" in probe
    (tmp_path / "probe.py").write_text(probe)
    done = check("esp32", tmp_path / "probe.py")
    assert done.returncode == 0, done.stdout

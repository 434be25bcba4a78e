"""Every firmware/<board>/board.py keeps the contract of firmware/template/board.py.

The source of all boards is checked; firmware/unix is also run, on both runtimes.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.boards import runner
from tests.boards.runner import IMEI, RUNTIMES
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, micropython

BOARDS = sorted((ROOT / "firmware").glob("*/board.py"))
TEMPLATE = ROOT / "firmware/template/board.py"


def shape(path: Path) -> dict[str, list[str] | None]:
    """Return the public names of a board.py: a function's parameters, else None."""
    found: dict[str, list[str] | None] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = [argument.arg for argument in node.args.args]
        elif isinstance(node, ast.Assign):
            found |= {t.id: None for t in node.targets if isinstance(t, ast.Name)}
    return {name: what for name, what in found.items() if not name.startswith("_")}


def named(path: Path) -> str:
    return path.parent.name


@pytest.mark.parametrize("path", BOARDS, ids=named)
def test_names(path: Path) -> None:
    """Each name of the template exists, and functions have the same parameters."""
    expected, found = shape(TEMPLATE), shape(path)
    assert expected.keys() - found.keys() == set()
    for name, words in expected.items():
        if (
            words is not None and found[name] is not None
        ):  # an alias is checked by running it
            assert found[name] == words, name


@pytest.mark.parametrize("path", BOARDS, ids=named)
def test_nothing_more_is_public(path: Path) -> None:
    """All other names begin with an underscore."""
    assert shape(path).keys() - shape(TEMPLATE).keys() == set()


@pytest.mark.parametrize("path", BOARDS, ids=named)
def test_nothing_happens_at_import(path: Path) -> None:
    """Imports, constants and definitions: no call but const(), no loop, no if."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), f"line {node.lineno}"
            continue
        allowed = (
            ast.Import,
            ast.ImportFrom,
            ast.Assign,
            ast.FunctionDef,
            ast.ClassDef,
        )
        assert isinstance(node, (*allowed, ast.Try)), f"line {node.lineno}"
        if isinstance(node, ast.Assign):
            calls = [n for n in ast.walk(node.value) if isinstance(n, ast.Call)]
            names = [call.func.id for call in calls if isinstance(call.func, ast.Name)]
            assert names == ["const"] * len(calls), f"line {node.lineno}"


@pytest.mark.parametrize("imei", [IMEI, None, "", IMEI[:14] + "0", "-1"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_unix(
    runtime: str, servers: runner.Servers, tmp_path: Path, imei: str | None
) -> None:
    """The unix board keeps the contract with every IMEI in its environment."""
    done = runner.run(runtime, "firmware/unix", servers, tmp_path, imei=imei)
    runner.holds(done, servers)


@pytest.mark.parametrize(
    ("text", "claim_key"),
    [
        ("ab" * 32, "good"),
        ("AB" * 32 + "\n", "good"),
        ("", "bad"),
        ("ab" * 31, "bad"),
        ("ab" * 33, "bad"),
        ("ab" * 31 + "a", "bad"),
        ("zz" * 32, "bad"),
        ("\0" * 64, "bad"),
    ],
)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_unix_claim_key(
    runtime: str, servers: runner.Servers, tmp_path: Path, text: str, claim_key: str
) -> None:
    """64 hex digits in claim.key are the key; everything else is a SETTING error."""
    (tmp_path / "claim.key").write_text(text)
    folder = "firmware/unix"
    done = runner.run(runtime, folder, servers, tmp_path, claim_key=claim_key)
    runner.holds(done, servers)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_unix_imei_and_restart(runtime: str, tmp_path: Path) -> None:
    """The IMEI comes from the environment, and a restart ends the process."""
    program = sys.executable if runtime == "cpython" else micropython()
    source = "import board\nprint(board.imei())\nboard.restart()\nprint('still here')\n"
    paths = f"{ROOT}:{ROOT / 'firmware/unix'}"
    done = subprocess.run(
        [program, "-c", source],
        cwd=tmp_path,
        env=os.environ
        | {"POINTACCESS_IMEI": IMEI, "PYTHONPATH": paths, "MICROPYPATH": paths},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout == IMEI + "\n", done.stderr

"""What a plain `pip install` gives: the wheel has all that is needed, and no more."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.runtimes import ROOT

_BLOCK = """
import sys
for name in {names!r}:
    sys.modules[name] = None
sys.argv = ["pointctl", *{arguments!r}]
from pointctl.__main__ import main
main()
"""
# What the extras bring, by the names that are imported.
_EXTRAS = ("amqtt", "unearth", "pytest", "hypothesis", "trustme", "keyring")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["demo", "--help"], ["serve", "--help"], ["--version"]]
)
def test_commands_need_no_extra(arguments: list[str]) -> None:
    """Every command answers --help with the plain dependencies."""
    program = _BLOCK.format(names=_EXTRAS, arguments=arguments)
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stderr


def test_wheel(tmp_path: Path) -> None:
    """The wheel carries what boards run, and the registry's migrations."""
    subprocess.run(
        [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "-w", tmp_path, ROOT],
        check=True,
        timeout=PATIENCE_S,
        stderr=subprocess.DEVNULL,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    device = {"boot.py", "main.py", "firmware/unix/board.py"}
    assert {f"pointctl/device/{name}" for name in device} <= names
    assert "point/access.py" in names
    assert {"point/aliyun/login.py", "point/host/cpython.py"} <= names
    assert {"point-stubs/access.pyi", "point-stubs/aliyun/login.pyi"} <= names
    assert not [name for name in names if name.startswith("point/") and name[-1] == "i"]
    assert "pointctl/demo/devices.csv" in names
    assert "pointctl/registry/storage/migrations/versions/0001_first.py" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]


def test_every_dependency_has_a_reason() -> None:
    """Each line of pyproject that names a package says why it is there."""
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += [name for name in extra if not name.startswith("pointaccess[")]
    lines = {line.strip() for line in text.splitlines()}
    for name in wanted:
        (line,) = [line for line in lines if line.startswith(f'"{name}"')]
        assert "# " in line, name

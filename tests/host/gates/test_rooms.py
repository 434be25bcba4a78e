"""The gate of the host's rooms breaks where an import goes up or into a closed room."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtimes import ROOT


def check(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the gate over a repository as make does."""
    return subprocess.run(
        [sys.executable, ROOT / "tools/check_rooms.py", root],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small host package whose imports all go down."""
    for name, source in {
        "__init__": "",
        "cli": "from pointctl.commands import devices",
        "commands/__init__": "",
        "commands/devices": "from pointctl.registry.issuing import claims",
        "commands/sandbox": "from pointctl.clouds.x.sandbox import app",
        "registry/__init__": "",
        "registry/audit": "",
        "registry/devices/__init__": "",
        "registry/devices/products": "from pointctl.registry import audit",
        "registry/issuing/__init__": "",
        "registry/issuing/claims": "from pointctl.registry.devices import products",
        "clouds/__init__": "",
        "clouds/x/__init__": "",
        "clouds/x/wire": "",
        "clouds/x/sandbox/__init__": "",
        "clouds/x/sandbox/app": "from pointctl.clouds.x import wire",
    }.items():
        file = tmp_path / f"tools/pointctl/{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return tmp_path


def test_our_rooms_keep_the_rules() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stdout


def test_imports_that_go_down_are_fine(house: Path) -> None:
    done = check(house)
    assert (done.returncode, done.stdout) == (0, "rooms: 0 broken rules\n")


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        (
            "registry/audit",
            "from pointctl.registry.devices.products import x",
            "a circle in pointctl.registry: audit, devices",
        ),
        (
            "registry/devices/products",
            "def f():\n    import pointctl.registry.issuing.claims",
            "a circle in pointctl.registry: devices, issuing",
        ),
        (
            "registry/devices/products",
            "from pointctl.registry.devices import tags\n",
            "a circle in pointctl.registry.devices: products, tags",
        ),
        (
            "registry/audit",
            "from pointctl import commands",
            "a circle in pointctl: commands, registry",
        ),
        (
            "clouds/x/wire",
            "from pointctl.commands.devices import app",
            "pointctl.clouds.x.wire imports pointctl.commands.devices: a room does not",
        ),
        (
            "registry/audit",
            "from pointctl.clouds.x.sandbox import app",
            "imports pointctl.clouds.x.sandbox.app: no product code imports a sandbox",
        ),
        (
            "commands/devices",
            "from pointctl.clouds.x import sandbox",
            "imports pointctl.clouds.x.sandbox: no product code imports a sandbox",
        ),
    ],
)
def test_each_broken_rule_is_said(
    house: Path, module: str, source: str, message: str
) -> None:
    (house / "tools/pointctl/registry/devices/tags.py").write_text(
        "from pointctl.registry.devices.products import x"
    )
    (house / f"tools/pointctl/{module}.py").write_text(source)
    done = check(house)
    assert done.returncode == 1
    assert message in done.stdout

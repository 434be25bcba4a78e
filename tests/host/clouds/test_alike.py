"""Every system of every vendor's cloud has files of the same names.

A folder of clouds/ is a vendor, but for the kit; a folder of a vendor is a system, but
for `sandbox`, where the vendor's sandboxes meet.
"""

from importlib import import_module
from pathlib import Path

import pytest

from pointctl import clouds

ROOT = Path(clouds.__file__).parent


def folders(path: Path) -> list[Path]:
    """The packages in a package."""
    return sorted(file.parent for file in path.glob("*/__init__.py"))


VENDORS = [folder for folder in folders(ROOT) if folder.name != "kit"]
SYSTEMS = [
    folder
    for vendor in VENDORS
    for folder in folders(vendor)
    if folder.name != "sandbox"
]


def has(folder: Path, name: str) -> bool:
    """Whether a module or a package of this name is in a folder."""
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()


def name_of(folder: Path) -> str:
    """A folder of clouds/, as its package is called."""
    return ".".join(["pointctl.clouds", *folder.relative_to(ROOT).parts])


def test_there_are_systems() -> None:
    assert len(SYSTEMS) >= 2


@pytest.mark.parametrize("system", SYSTEMS, ids=name_of)
def test_a_system(system: Path) -> None:
    """wire, errors and client; no client only where boards are the clients."""
    expected = {"wire", "errors", "client", "sandbox"}
    if getattr(import_module(name_of(system)), "CLIENTS_ARE_BOARDS", False):
        expected.remove("client")
        assert not has(system, "client")
    assert {name for name in expected if has(system, name)} == expected


@pytest.mark.parametrize("system", SYSTEMS, ids=name_of)
def test_its_sandbox(system: Path) -> None:
    """app has the routes, service decides, models has the tables."""
    expected = {"app", "service", "models"}
    found = {name for name in expected if has(system / "sandbox", name)}
    assert found == expected


@pytest.mark.parametrize("vendor", VENDORS, ids=name_of)
def test_a_vendor(vendor: Path) -> None:
    """One database and one server for all of its sandboxes."""
    for name in ("database", "serve"):
        assert has(vendor / "sandbox", name)

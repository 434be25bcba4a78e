"""The tests of a room are in the folder of its name."""

from tests.conftest import LONG_FILES, TESTS
from tests.runtimes import ROOT

# What is tested on the host, but is not a room of tools/pointctl/.
OTHERS = {"docs", "downloads", "gates", "point"}


def test_folders_are_named_as_rooms() -> None:
    folders = {path.parent.name for path in (TESTS / "host").glob("*/__init__.py")}
    rooms = {path.parent.name for path in ROOT.glob("tools/pointctl/*/__init__.py")}
    assert folders - OTHERS <= rooms


def test_each_test_is_in_a_folder() -> None:
    """So that no two can clash: they are imported by their packages' names."""
    assert list((TESTS / "host").glob("test_*.py")) == []
    for file in (TESTS / "host").rglob("test_*.py"):
        assert (file.parent / "__init__.py").is_file(), file


def test_the_long_files_are_there() -> None:
    assert [name for name in LONG_FILES if not (TESTS / name).is_file()] == []

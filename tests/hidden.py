"""A pytest plugin that hides everything optional, as on a machine that has none of it.

It also keeps only the tests named in $POINTACCESS_ONLY, after all have been collected.
"""

import ctypes.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests import optional

# Of pyproject.toml's extras, those that [dev] does not take in.
_LIBRARIES = ("keyring", "matplotlib")
_PROGRAMS = {part.program for part in optional.PARTS.values()}
_PLACES = {part.places for part in optional.PARTS.values() if part.places}
_which, _glob, _find_library = shutil.which, Path.glob, ctypes.util.find_library


def _visible() -> str:
    """A folder with all that is on PATH but for what is hidden."""
    folder = Path(tempfile.mkdtemp(prefix="pointaccess-path-"))
    for place in os.get_exec_path():
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name not in _PROGRAMS and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def pytest_configure(config: pytest.Config) -> None:
    """Hide it before anything is imported that looks for it."""
    folder = _visible()
    config.add_cleanup(lambda: shutil.rmtree(folder))
    os.environ["PATH"] = folder
    for name in _LIBRARIES:
        sys.modules[name] = None  # type: ignore[assignment]
    shutil.which = lambda cmd, *rest, **named: (  # type: ignore[assignment]
        None if os.fspath(cmd) in _PROGRAMS else _which(cmd, *rest, **named)
    )
    Path.glob = lambda self, pattern, **named: (  # type: ignore[assignment, method-assign]
        iter(()) if pattern in _PLACES else _glob(self, pattern, **named)
    )
    ctypes.util.find_library = lambda name: (
        None if name == "zbar" else (_find_library(name))
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that were asked for."""
    wanted = tuple(os.environ["POINTACCESS_ONLY"].split())
    items[:] = [item for item in items if item.nodeid.startswith(wanted)]

"""The data folder: where an operator's registry and certificates live."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import platformdirs

from pointctl.errors import PointctlError

# `pointctl --database URL` sets it for the command, and for processes that it starts.
DATABASE = "POINTCTL_DATABASE"


def default_folder() -> Path:
    """The folder that is used where neither --data nor POINTCTL_DATA names one."""
    return platformdirs.user_data_path("pointctl")


def current_folder() -> "DataFolder":
    """The data folder that commands use which are told of none."""
    named = os.environ.get("POINTCTL_DATA")
    return DataFolder(Path(named) if named else default_folder())


@dataclass(frozen=True)
class DataFolder:
    """The paths inside one data folder."""

    path: Path

    @property
    def registry(self) -> Path:
        return self.path / "registry.sqlite"

    @property
    def ca(self) -> Path:
        return self.path / "ca"

    @property
    def claim_master(self) -> Path:
        return self.path / "claim-master"

    @property
    def database_key(self) -> Path:
        return self.path / "database-key"


def private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter. One that exists is left as it is.

    So are those above it that are missing: ca/ may come before the data folder.
    """
    if not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def private_path(path: Path) -> Iterator[Path]:
    """An empty file that only its owner may read, to be written in place of `path`.

    It takes its place when the block ends; on an error the old one stays. Raises
    PointctlError where the path is taken by something else than a file.
    """
    if path.exists() and not path.is_file():
        raise PointctlError(f"{path} is not a file; name another one")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        yield Path(name)
        os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    finally:
        os.close(handle)


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """A text file that only its owner may read, as private_path()."""
    with (
        private_path(path) as made,
        made.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file

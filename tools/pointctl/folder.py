"""The data folder, which holds registry and certificates, and private files."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import platformdirs

from pointctl.errors import PointctlError

# The environment variable that `pointctl --database URL` sets for the command and for
# the processes that it starts.
DATABASE = "POINTCTL_DATABASE"


def default_folder() -> Path:
    """Return the folder to use if neither --data nor POINTCTL_DATA names one."""
    return platformdirs.user_data_path("pointctl")


def current_folder() -> "DataFolder":
    """Return the folder for commands without --data: POINTCTL_DATA or the default."""
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
    """Make a folder that only its owner may enter; an existing one is not changed.

    Makes missing parents in the same way: ca/ may be made before the data folder.
    """
    if not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def private_path(path: Path) -> Iterator[Path]:
    """Give the path of an empty file, which only its owner may read.

    It replaces `path` when the block ends; after an error the old file stays. Raises
    PointctlError if `path` exists and is not a file.
    """
    if path.exists() and not path.is_file():
        raise PointctlError(f"{path} exists and is not a file; name another one")
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
    """Open a text file that only its owner may read, as private_path()."""
    with (
        private_path(path) as made,
        made.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file

"""Plan a deployment: compare what is wanted on a board with what is there, by hash.

Paths are as on the board, without the folder that holds all our files.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

MANIFEST = "deployed.json"  # what a finished deployment has put there; written last
JOURNAL = "deploying.json"  # exists from the first step of a deployment to its last
NEW_MAIN = "main.new"  # main.py before it is renamed
MAIN = "main.py"
BOOT = "boot.py"
SETTINGS = "settings.json"
CLAIM_KEY = "claim.key"
CREDENTIALS = ("credentials.0", "credentials.1")
PENDING = ("pending.0", "pending.1")
# These are never removed, whatever a list that is read from a board says.
_NEVER_STALE = {SETTINGS, CLAIM_KEY, MANIFEST, JOURNAL, *CREDENTIALS, *PENDING}
# This folder holds our files only: any other file in it is stale.
OUR_FOLDER = "point/"


@dataclass(frozen=True)
class BoardFile:
    """A file on a board."""

    size: int
    sha256: str


class FileAction(StrEnum):
    """What a deployment does to a file."""

    KEEP = "unchanged"
    ADD = "new"
    REPLACE = "changed"
    REMOVE = "stale"


@dataclass(frozen=True)
class PlannedFile:
    """A file, and what is done to it; sizes in bytes, 0 if there is no file."""

    path: str
    action: FileAction
    size: int  # after the deployment
    before: int  # now


@dataclass(frozen=True)
class DeploymentPlan:
    """Every file that is wanted or stale, sorted by path."""

    files: tuple[PlannedFile, ...]

    @property
    def to_copy(self) -> list[str]:
        """The files that have to be copied."""
        return self._paths(FileAction.ADD, FileAction.REPLACE)

    @property
    def to_remove(self) -> list[str]:
        """The files to remove before copying: stale ones, and those to replace."""
        return self._paths(FileAction.REPLACE, FileAction.REMOVE)

    @property
    def stale(self) -> list[str]:
        """The files to remove for good."""
        return self._paths(FileAction.REMOVE)

    @property
    def is_empty(self) -> bool:
        """Whether the board has all files already, and none that is stale."""
        return all(file.action is FileAction.KEEP for file in self.files)

    def count_blocks(self, block_bytes: int) -> int:
        """Return how many more blocks the files will take than now."""
        changed = (file for file in self.files if file.action is not FileAction.KEEP)
        return sum(
            -(-file.size // block_bytes) + (-file.before // block_bytes)
            for file in changed
        )

    def _paths(self, *actions: FileAction) -> list[str]:
        return [file.path for file in self.files if file.action in actions]


@dataclass(frozen=True)
class Manifest:
    """What a deployment has put on a board; the next one and `info` read it."""

    board: str
    version: str
    files: Mapping[str, str]  # path: SHA-256 in hex

    def encode(self) -> bytes:
        """Return the bytes of deployed.json."""
        return _encode_json(
            {"board": self.board, "version": self.version, "files": {**self.files}}
        )


def parse_manifest(text: bytes) -> Manifest | None:
    """Parse deployed.json; None if it is not whole."""
    members = _parse_object(text)
    board, version, files = (members.get(k) for k in ("board", "version", "files"))
    if not (isinstance(board, str) and isinstance(version, str)):
        return None
    if not isinstance(files, dict) or not all(map(_is_text, files.values())):
        return None
    return Manifest(board, version, files)


def encode_journal(paths: Iterable[str]) -> bytes:
    """Return the bytes of deploying.json: what may be on the board until the end."""
    return _encode_json({"files": sorted(paths)})


def parse_journal(text: bytes) -> list[str]:
    """Return the paths in deploying.json; none if it was cut short."""
    paths = _parse_object(text).get("files")
    return [p for p in paths if _is_text(p)] if isinstance(paths, list) else []


def sha256(data: bytes) -> str:
    """Return the hash in hex, as boards compute it."""
    return hashlib.sha256(data).hexdigest()


def stale_names(wanted: Collection[str], known: Iterable[str]) -> set[str]:
    """Return what earlier deployments may have left and is not wanted any more.

    `known` is what manifest and journal say; a board may have garbled it. A module may
    be there both as source and compiled: MicroPython would load the source.
    """
    names = {path for path in known if _may_be_ours(path)}
    for path in wanted:
        module, _, suffix = path.rpartition(".")
        if suffix in ("py", "mpy") and path not in (BOOT, MAIN):
            names.add(f"{module}.{'py' if suffix == 'mpy' else 'mpy'}")
    return (names | {NEW_MAIN}) - set(wanted)


def make_plan(
    wanted: Mapping[str, bytes], found: Mapping[str, BoardFile]
) -> DeploymentPlan:
    """Plan how the board comes to hold `wanted`; all else in `found` is stale."""
    files = []
    for path, data in wanted.items():
        present = found.get(path)
        action = FileAction.REPLACE
        if present is None:
            action = FileAction.ADD
        elif present.sha256 == sha256(data):
            action = FileAction.KEEP
        before = present.size if present else 0
        files.append(PlannedFile(path, action, len(data), before))
    for path in found.keys() - wanted.keys() - _NEVER_STALE:
        files.append(PlannedFile(path, FileAction.REMOVE, 0, found[path].size))
    return DeploymentPlan(tuple(sorted(files, key=lambda file: file.path)))


def _may_be_ours(path: str) -> bool:
    is_inside = not path.startswith("/") and ".." not in path.split("/")
    return is_inside and bool(path) and path not in _NEVER_STALE


def _encode_json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _parse_object(text: bytes) -> Mapping[str, object]:
    """Return the members of a JSON object, none if the text is not one."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _is_text(value: object) -> bool:
    return isinstance(value, str)

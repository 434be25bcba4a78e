"""What has to be done to a board: what is wanted on it against what is there, by hash.

Paths are as on the board, without the folder that everything of ours is under.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MANIFEST = "deployed.json"  # what a finished deployment has put there; written last
JOURNAL = "deploying.json"  # there from its first step to its last
NEW_MAIN = "main.new"  # main.py before it is put in its place
MAIN = "main.py"
BOOT = "boot.py"
SETTINGS = "settings.json"
CLAIM_KEY = "claim.key"
CREDENTIALS = ("credentials.0", "credentials.1")
PENDING = ("pending.0", "pending.1")
# No list that is read from a board makes us remove these.
_NEVER_STALE = {SETTINGS, CLAIM_KEY, MANIFEST, JOURNAL, *CREDENTIALS, *PENDING}
# Folders that hold nothing but ours: what else is found there is stale.
OURS = "point/"


@dataclass(frozen=True)
class Found:
    """A file that is on the board."""

    size: int
    sha256: str


class Action(StrEnum):
    """What becomes of a file."""

    KEEP = "unchanged"
    ADD = "new"
    REPLACE = "changed"
    REMOVE = "stale"


@dataclass(frozen=True)
class Step:
    """One file, and what becomes of it; sizes in bytes, 0 where there is none."""

    path: str
    action: Action
    size: int  # that it will have
    before: int  # that it has


@dataclass(frozen=True)
class Plan:
    """Every file that is wanted or stale, in the order of their paths."""

    steps: tuple[Step, ...]

    @property
    def copies(self) -> list[str]:
        """What has to be copied."""
        return self._paths(Action.ADD, Action.REPLACE)

    @property
    def gone(self) -> list[str]:
        """What is on the board and must not stay."""
        return self._paths(Action.REPLACE, Action.REMOVE)

    @property
    def stale(self) -> list[str]:
        """What is removed for good."""
        return self._paths(Action.REMOVE)

    @property
    def empty(self) -> bool:
        """Whether the board has all of it already, and nothing stale."""
        return all(step.action is Action.KEEP for step in self.steps)

    def blocks(self, block: int) -> int:
        """How many blocks of so many bytes its files will take more than now."""
        changed = (step for step in self.steps if step.action is not Action.KEEP)
        return sum(-(-s.size // block) + (-s.before // block) for s in changed)

    def _paths(self, *actions: Action) -> list[str]:
        return [step.path for step in self.steps if step.action in actions]


@dataclass(frozen=True)
class Manifest:
    """What a deployment has put on a board: for the next one, and for `info`."""

    board: str
    version: str
    files: Mapping[str, str]  # path: SHA-256 in hex

    def encode(self) -> bytes:
        """The bytes of deployed.json."""
        return _encoded(
            {"board": self.board, "version": self.version, "files": {**self.files}}
        )


def manifest_of(text: bytes) -> Manifest | None:
    """What deployed.json says; None if it is not whole."""
    given = _object(text)
    board, version, files = (given.get(k) for k in ("board", "version", "files"))
    if not (isinstance(board, str) and isinstance(version, str)):
        return None
    if not isinstance(files, dict) or not all(map(_is_text, files.values())):
        return None
    return Manifest(board, version, files)


def journal(paths: Iterable[str]) -> bytes:
    """The bytes of deploying.json: what may be on the board until it is finished."""
    return _encoded({"files": sorted(paths)})


def journal_of(text: bytes) -> list[str]:
    """The paths in deploying.json; none if it was cut short."""
    paths = _object(text).get("files")
    return [p for p in paths if _is_text(p)] if isinstance(paths, list) else []


def sha256(data: bytes) -> str:
    """The hash that boards compute, in hex."""
    return hashlib.sha256(data).hexdigest()


def stale_names(wanted: Collection[str], known: Iterable[str]) -> set[str]:
    """What may be on the board of earlier deployments and is wanted no more.

    `known` is what manifest and journal say, which a board may have garbled. A module
    is there as source or compiled: MicroPython would take the source of the two.
    """
    names = {path for path in known if _may_be_ours(path)}
    for path in wanted:
        module, _, kind = path.rpartition(".")
        if kind in ("py", "mpy") and path not in (BOOT, MAIN):
            names.add(f"{module}.{'py' if kind == 'mpy' else 'mpy'}")
    return (names | {NEW_MAIN}) - set(wanted)


def make(wanted: Mapping[str, bytes], found: Mapping[str, Found]) -> Plan:
    """What makes the board hold `wanted`; what else is in `found` is stale."""
    steps = []
    for path, data in wanted.items():
        there = found.get(path)
        action = Action.REPLACE
        if there is None:
            action = Action.ADD
        elif there.sha256 == sha256(data):
            action = Action.KEEP
        steps.append(Step(path, action, len(data), there.size if there else 0))
    for path in found.keys() - wanted.keys() - _NEVER_STALE:
        steps.append(Step(path, Action.REMOVE, 0, found[path].size))
    return Plan(tuple(sorted(steps, key=lambda step: step.path)))


def _may_be_ours(path: str) -> bool:
    inside = not path.startswith("/") and ".." not in path.split("/")
    return inside and bool(path) and path not in _NEVER_STALE


def _encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _object(text: bytes) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _is_text(value: object) -> bool:
    return isinstance(value, str)

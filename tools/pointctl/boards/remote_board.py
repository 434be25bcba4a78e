"""A board behind a link: its files, its facts, and what its own firmware can answer."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pointctl.boards.board_programs import MARK, installed_program, program
from pointctl.boards.link import BoardError, Link, Progress, garbled_error
from pointctl.boards.plan import OUR_FOLDER, BoardFile

_HASHED_AT_ONCE = 16  # files in one answer: so a board that goes mute is noticed soon
_LOADING = 3  # times an answer's timeout: the component may be loaded from source
_MODEM_S = 90  # for a modem that has to be switched on first


@dataclass(frozen=True)
class Facts:
    """What a board reports about itself, with or without our firmware."""

    runtime: str
    version: str
    platform: str
    mpy: int  # the version of .mpy that it loads; 0: none
    heap_free: int  # bytes, at the REPL
    heap: int
    folder: str  # its working folder at the start
    has_usr: bool  # it has /usr, where QuecPython keeps programs


@dataclass(frozen=True)
class FlashSpace:
    """The room in a board's flash."""

    block_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class StoredCredential:
    """Credentials in a board's flash, as the board itself opened them; no secret."""

    product_key: str
    device_name: str
    is_confirmed: bool  # they have connected once


class RemoteBoard:
    """A board behind a link; paths are relative to `root`, which ends in /.

    Each answer may take `answer_s`. Raises BoardError for what the board refuses, and
    LinkError for what is wrong with the cable.
    """

    def __init__(self, link: Link, root: str, answer_s: float) -> None:
        self.link = link
        self.root = root
        self._answer_s = answer_s

    def survey(
        self, names: Collection[str], *, whole: bool = False
    ) -> dict[str, BoardFile]:
        """Return those of the files that exist, hashed by the board.

        With `whole`, add every other file in point/ and the folders in it, which hold
        our files only.
        """
        wanted = set(names)
        if whole:
            folder = self.root + OUR_FOLDER
            wanted |= {OUR_FOLDER + name for name in self._ask("_list", folder)}
        found: dict[str, BoardFile] = {}
        for part in _batched(sorted(wanted), _HASHED_AT_ONCE):
            source = program("_survey", self.root, part)
            for name, size, sha256 in self._run(source, self._answer_s):
                found[name] = BoardFile(size, sha256)
        return found

    def flash_space(self) -> FlashSpace | None:
        """Return the room in the flash, None if the board cannot tell."""
        try:
            block_bytes, free_bytes = self._ask("_free", self.root)
        except BoardError:
            return None
        return FlashSpace(block_bytes, free_bytes)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None if it does not exist."""
        path = self.root + name
        return None if self.link.sha256(path) is None else self.link.read(path)

    def put(self, name: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file; the caller compares hashes."""
        self.link.write(self.root + name, data, progress)

    def sha256(self, name: str) -> str | None:
        """Return the hash that the board computes of a file, None if there is none."""
        return self.link.sha256(self.root + name)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files in this order; a missing one is not an error."""
        self._run(program("_remove", self.root, list(names)), self._answer_s)

    def make_folders(self, names: Iterable[str]) -> None:
        """Make the folders for files of these names."""
        folders: set[str] = set()
        for name in names:
            parts = name.split("/")[:-1]
            folders |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
        self._run(program("_folders", self.root, sorted(folders)), self._answer_s)

    def rename(self, old: str, new: str) -> None:
        """Rename a file; the new name must be free."""
        self._run(program("_rename", self.root + old, self.root + new), self._answer_s)

    def facts(self) -> Facts:
        """Ask what the board runs, and on what."""
        return Facts(**self._ask("_facts"))

    def imei(self) -> str:
        """Return the IMEI that the installed adapter reads."""
        return str(self._ask_installed("_imei", _MODEM_S))

    def claim_key_hash(self) -> str | None:
        """Return SHA-256 in hex of the claim key that the adapter finds anywhere."""
        found = self._ask_installed("_claim_key", _MODEM_S)
        return None if found is None else str(found)

    def check_setup(self) -> str | None:
        """Return what the installed component finds wrong with its setup, or None."""
        timeout_s = _LOADING * self._answer_s
        found = self._ask_installed("_check_setup", timeout_s, self.root)
        return None if found is None else str(found)

    def credentials(self) -> StoredCredential | None:
        """Return the credentials that the installed component opens, None if none."""
        found = self._ask_installed("_credentials", _LOADING * self._answer_s)
        return StoredCredential(*found) if found else None

    def _ask(self, name: str, *arguments: object) -> Any:
        return self._last_answer(program(name, *arguments), self._answer_s)

    def _ask_installed(self, name: str, timeout_s: float, *arguments: object) -> Any:
        """Ask a program that loads the installed component afresh."""
        source = installed_program(name, self.root, *arguments)
        return self._last_answer(source, timeout_s)

    def _last_answer(self, source: str, timeout_s: float) -> Any:
        answers = self._run(source, timeout_s)
        if not answers:
            raise garbled_error(self.link.port)
        return answers[-1]

    def _run(self, source: str, timeout_s: float) -> list[Any]:
        """Run a program, and return its answers."""
        printed = self.link.run(source, timeout_s)
        lines = [line.strip() for line in printed.splitlines()]
        answers = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
        try:
            return [json.loads(answer) for answer in answers]
        except ValueError:
            raise garbled_error(self.link.port) from None


def _batched(names: Sequence[str], count: int) -> Iterator[list[str]]:
    """Yield up to `count` names at a time."""
    for start in range(0, len(names), count):
        yield list(names[start : start + count])

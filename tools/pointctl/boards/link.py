"""A serial connection to a board's REPL: what the rooms above need of it."""

from collections.abc import Callable, Iterator
from typing import Protocol, Self

from pointctl.errors import PointctlError

Progress = Callable[[int, int], None]  # bytes written so far, and of how many


class LinkError(PointctlError):
    """The board cannot be reached, does not answer in time, or went away."""


class BoardError(PointctlError):
    """The board answered, but what was run on it raised; says its last line."""


class Link(Protocol):
    """A board at its raw REPL. Every call ends in time, or raises LinkError.

    Paths are absolute on the board. What the board itself refuses (no such file, flash
    full) is a BoardError. Whatever was running is interrupted when a link is opened.
    """

    port: str

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def run(self, source: str, timeout_s: float = 10) -> str:
        """Run Python on the board and return what it printed."""
        ...

    def read(self, path: str) -> bytes:
        """A file of the board, whole."""
        ...

    def write(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file in place, in folders that are there. Not yet verified."""
        ...

    def sha256(self, path: str) -> str | None:
        """The hash of a file in hex, computed on the board; None if it is no file."""
        ...

    def reset(self) -> None:
        """Restart into boot.py and main.py; the link then only listens."""
        ...

    def lines(self, timeout_s: float) -> Iterator[str]:
        """What a running board prints, line by line, until so long after the call."""
        ...

    def close(self) -> None:
        """Let go of the port; the board goes on with what it does."""
        ...

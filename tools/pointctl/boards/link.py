"""The interface of a serial connection to a board's REPL, and its errors."""

from collections.abc import Callable, Iterator
from typing import Protocol, Self

from pointctl.errors import PointctlError

Progress = Callable[[int, int], None]  # bytes written so far, bytes in all


class LinkError(PointctlError):
    """The board cannot be reached, does not answer in time, or went away."""


class BoardError(PointctlError):
    """The board answered, but the program that ran on it raised an error."""


def garbled_error(port: str) -> LinkError:
    """Return the error for an answer that cannot be read."""
    return LinkError(
        f"the answer of the board at {port} is garbled: check the cable, and that "
        "nothing else uses the port; then try again"
    )


class Link(Protocol):
    """A board at its raw REPL. Every call ends in time, or raises LinkError.

    Paths are absolute on the board. What the board itself refuses (no such file, flash
    full) is a BoardError. Opening a link interrupts whatever is running.
    """

    port: str

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def run(self, source: str, timeout_s: float = 10) -> str:
        """Run Python on the board and return what it printed."""
        ...

    def read(self, path: str) -> bytes:
        """Return the content of a file on the board."""
        ...

    def write(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file in place, in an existing folder. The content is not verified."""
        ...

    def sha256(self, path: str) -> str | None:
        """Return the hash in hex that the board computes, None if there is no file."""
        ...

    def reset(self) -> None:
        """Restart into boot.py and main.py; afterwards the link can only listen."""
        ...

    def lines(self, timeout_s: float) -> Iterator[str]:
        """Yield the lines that a running board prints, for so long after the call."""
        ...

    def close(self) -> None:
        """Close the port; the board goes on with what it does."""
        ...

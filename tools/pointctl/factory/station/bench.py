"""What a station needs of a board in its hands; serial_bench.py has it over a cable."""

from collections.abc import Callable
from typing import Protocol, Self

from pointctl.boards.kinds import BoardKind
from pointctl.errors import PointctlError
from pointctl.factory.domain.job import SelfTest
from pointctl.factory.domain.units import Found, Reason


class StepFailed(PointctlError):
    """A step did not succeed, and why in a word."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class OnTheBench(Protocol):
    """A board that is reached; StepFailed and LinkError are what may be raised."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def look(self) -> Found:
        """Who it is and what it holds; nothing is changed."""
        ...

    def burn(self, key: str) -> None:
        """Give it its key, and have the board itself read it back."""
        ...

    def try_itself(self, how: SelfTest, within_s: float) -> str:
        """Restart it and watch until it has come that far; what it said then."""
        ...


Opener = Callable[[str, BoardKind | None], OnTheBench]  # of a port, and a board's kind

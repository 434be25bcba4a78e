"""The interface of a board for the station; serial_board.py is one on a cable."""

from collections.abc import Callable
from typing import Protocol, Self

from pointctl.boards.kinds import BoardKind
from pointctl.errors import PointctlError
from pointctl.factory.domain.job import SelfTest
from pointctl.factory.domain.units import BoardFacts, Reason


class StepFailed(PointctlError):
    """A step did not succeed; `reason` says why in a word."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class StationBoard(Protocol):
    """A connected board. Its methods raise StepFailed or LinkError."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def identify(self) -> BoardFacts:
        """Read which unit it is and what it holds; nothing is changed."""
        ...

    def burn(self, key: str) -> None:
        """Write the key, and have the board itself read it back."""
        ...

    def run_self_test(self, test: SelfTest, within_s: float) -> str:
        """Restart the board, wait until it passes, and return the line it printed."""
        ...


OpenBoard = Callable[[str, BoardKind | None], StationBoard]  # by port and kind

"""Where keys come from: what a station asks of a source, whichever it is.

A source may be asked again for the same unit, and gives the same key for the price of
one; where that is not certain it says so by Denied, and a person decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from pointctl.errors import PointctlError, Refused


class SourceDown(PointctlError):
    """It gives no answer now; asking again later costs nothing."""


class Denied(Refused):
    """It will not give a key for this unit; the text says why, and what to do."""


@dataclass(frozen=True)
class Stock:
    """A supply of keys."""

    name: str
    capacity: int | None  # None: no limit
    used: int
    open: bool = True
    until: str | None = None

    @property
    def left(self) -> int | None:
        """How many more there are; none of a closed one."""
        if not self.open:
            return 0
        return None if self.capacity is None else max(0, self.capacity - self.used)


@dataclass(frozen=True)
class Key:
    """What is burned into a unit."""

    text: str = field(repr=False)  # hex digits


class Source(Protocol):
    """Threads may share it."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def key(self, unit: str) -> Key:
        """The key of a unit; the first time it takes one of the stock.

        Raises SourceDown, Denied.
        """
        ...

    def stocks(self) -> Sequence[Stock]:
        """What there is to take from. Raises SourceDown, PointctlError."""
        ...

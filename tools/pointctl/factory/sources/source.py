"""Where keys come from: what a station asks of a source, whichever it is.

Most give the same key for the price of one, however often they are asked for a unit:
`repeats_are_free`. Where that is not certain, a unit whose answer was lost is not asked
for again until a person says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

from pointctl.errors import PointctlError, Refused


class SourceDown(PointctlError):
    """It gives no answer now; asking again later costs nothing."""


class Denied(Refused):
    """It will not give a key for this unit; the text says why, and what to do."""


class Unsure(PointctlError):
    """It may have given a key that did not arrive."""


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

    repeats_are_free: bool

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def key(self, unit: str) -> Key:
        """The key of a unit; the first time it takes one of the stock.

        Raises SourceDown, Denied, Unsure.
        """
        ...

    def stocks(self) -> Sequence[Stock]:
        """What there is to take from. Raises SourceDown, PointctlError."""
        ...


@runtime_checkable
class ListSource(Source, Protocol):
    """One that takes whole lists, and works on them by itself."""

    def send(self, units: Sequence[str]) -> str:
        """Send a list, once; by what it is asked for. Raises as key()."""
        ...

    def fetch(
        self, batch: str, on: Callable[[int], None]
    ) -> tuple[dict[str, Key], dict[str, str]]:
        """Wait for a list; keys of units, and why others have none.

        `on` is told how many are done. Raises SourceDown, Denied.
        """
        ...

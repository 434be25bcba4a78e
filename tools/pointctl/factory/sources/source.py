"""The interface of a source of keys, and its errors.

Most sources give the same key again without taking another from the stock; they set
`repeats_are_free`. If that is not certain and an answer was lost, the source is not
asked for that unit again until a person says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

from pointctl.errors import PointctlError, Refused


class SourceDown(PointctlError):
    """The source does not answer now; asking it again later costs nothing."""


class KeyDenied(Refused):
    """The source gives no key for this unit; the text says why, and what to do."""


class AnswerLost(PointctlError):
    """The source may have given a key that did not arrive."""


@dataclass(frozen=True)
class KeyStock:
    """A supply of keys."""

    name: str
    capacity: int | None  # None: no limit
    used: int
    open: bool = True
    until: str | None = None

    @property
    def left(self) -> int | None:
        """How many keys are left, 0 if the supply is closed, None without a limit."""
        if not self.open:
            return 0
        return None if self.capacity is None else max(0, self.capacity - self.used)


def total_left(stocks: Sequence[KeyStock]) -> int | None:
    """Return how many keys are left in all, None if one supply has no limit."""
    total = 0
    for stock in stocks:
        if stock.left is None:
            return None
        total += stock.left
    return total


@dataclass(frozen=True)
class Key:
    """The key that is burned into a unit."""

    text: str = field(repr=False)  # hex digits


@dataclass(frozen=True)
class FetchedList:
    """The answer of a source to a list of units."""

    keys: dict[str, Key]
    errors: dict[str, str]  # why a unit has no key


class KeySource(Protocol):
    """A source of keys. Threads may share it."""

    repeats_are_free: bool

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def request_key(self, unit: str) -> Key:
        """Return the key of a unit; the first request takes it from the stock.

        Raises SourceDown, KeyDenied, AnswerLost.
        """
        ...

    def stocks(self) -> Sequence[KeyStock]:
        """Return the supplies of keys. Raises SourceDown, PointctlError."""
        ...


@runtime_checkable
class ListKeySource(KeySource, Protocol):
    """A source that accepts whole lists, and works on them by itself."""

    def send_list(self, units: Sequence[str]) -> str:
        """Send a list once, and return its id. Raises as request_key()."""
        ...

    def fetch_list(self, batch: str, on: Callable[[int], None]) -> FetchedList:
        """Wait for the list with this id, and return its keys.

        `on` is called with the number of finished units. Raises SourceDown, KeyDenied.
        """
        ...

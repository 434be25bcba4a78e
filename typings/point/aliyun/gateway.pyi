from collections.abc import Callable, Iterable
from typing import Final

from .alink import Alink

ALWAYS: Final = 0
CLOSED: Final = 65535
FORBIDDEN: Final = 403

class Gateway:
    def __init__(
        self, alink: Alink, on_permit: Callable[[int], object] | None = None
    ) -> None: ...
    def open_s(self) -> int: ...
    # Each is checked: a list of an application's own JSON will do.
    def add(
        self,
        sub_devices: Iterable[object],
        then: Callable[[int | None, list[tuple[str, str]]], object] | None = None,
    ) -> None: ...
    def remove(
        self,
        pairs: Iterable[tuple[str, str]],
        then: Callable[[int | None, list[tuple[str, str]]], object] | None = None,
    ) -> None: ...
    def topology(
        self, then: Callable[[list[tuple[str, str]] | None], object]
    ) -> None: ...

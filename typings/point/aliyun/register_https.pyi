from collections.abc import Callable, Mapping
from typing import Any

from ..access import PointAccess

class Transport:
    close: Callable[[], None]
    def __init__(self, access: PointAccess, url: str | None) -> None: ...
    # Beside "00000" the answer's data, which nobody has checked yet.
    def ask(self, request: Mapping[str, str]) -> tuple[str, Any]: ...

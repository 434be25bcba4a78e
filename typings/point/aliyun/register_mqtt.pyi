from collections.abc import Mapping
from typing import Any

from ..access import PointAccess

class Transport:
    def __init__(self, access: PointAccess, url: str | None) -> None: ...
    # Beside "00000" the answer's data, which nobody has checked yet.
    def ask(self, request: Mapping[str, str]) -> tuple[str, Any]: ...
    def close(self) -> None: ...

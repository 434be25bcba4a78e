from collections.abc import Callable, Mapping
from typing import Final

from .access import Connection
from .trust import Trust

FORM: Final = "application/x-www-form-urlencoded"

class HttpClient:
    def __init__(
        self,
        connect: Callable[[str, int, Trust | None, float], Connection],
        url: str,
        trust: Trust | None,
        timeout_s: float,
    ) -> None: ...
    def post(
        self, data: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]: ...
    def send(
        self,
        body: bytes | None,
        media_type: str | None,
        headers: Mapping[str, str] | None = None,
        path: str | None = None,
    ) -> tuple[int, bytes]: ...
    def close(self) -> None: ...

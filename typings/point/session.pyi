from collections.abc import Callable

from .access import PointAccess
from .errors import PointError

class Session:
    host: str
    topic: str
    error: PointError | None
    connections: int
    def __init__(
        self,
        access: PointAccess,
        received: Callable[[bytes, bytes], object] | None = None,
        log: Callable[[str, object], object] = ...,
    ) -> None: ...
    def connect(self) -> None: ...
    def subscribe(self, topic: str) -> bool: ...
    def publish(self, topic: str, message: str | bytes) -> bool: ...
    def step(self) -> bool: ...
    def close(self) -> None: ...

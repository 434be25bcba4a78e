from collections.abc import Callable

from ..access import PointAccess
from .alink import Alink

class Binding:
    resetting: bool
    def __init__(
        self,
        alink: Alink,
        access: PointAccess,
        on_event: Callable[[str], object] | None,
        window_s: int = 600,
    ) -> None: ...
    @property
    def token(self) -> str | None: ...
    def remaining_s(self) -> int: ...
    def reset(self) -> None: ...
    def cipher_key(
        self,
        cipher_type: int,
        random: str,
        then: Callable[[bytes | None], object],
    ) -> None: ...

from collections.abc import Mapping
from typing import Protocol, type_check_only

from ..access import PointAccess
from ..credentials import DeviceConfig

# A reply's bytes, to a POST, or to a GET without a body.
@type_check_only
class Ask(Protocol):
    def __call__(
        self,
        path: str,
        body: bytes | None,
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        /,
    ) -> bytes: ...

class Registration:
    request_id: str | None
    def __init__(
        self,
        access: PointAccess,
        url: str | None,
        data: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> None: ...
    def fetch(self) -> tuple[str, DeviceConfig | None]: ...
    def acknowledge(self) -> None: ...
    def close(self) -> None: ...

from collections.abc import Mapping

from ..access import PointAccess
from ..credentials import DeviceConfig

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

from collections.abc import Mapping

from .access import PointAccess
from .credentials import DeviceConfig

def request(
    access: PointAccess,
    url: str,
    data: Mapping[str, object],
    headers: Mapping[str, str] | None,
) -> str: ...

class Exchange:
    request_id: str | None
    def __init__(
        self,
        access: PointAccess,
        url: str,
        data: Mapping[str, object],
        headers: Mapping[str, str] | None,
    ) -> None: ...
    def fetch(self) -> tuple[str, DeviceConfig | None]: ...
    def acknowledge(self) -> None: ...
    def close(self) -> None: ...

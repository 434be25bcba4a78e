from collections.abc import Mapping
from typing import Protocol, type_check_only

from .access import PointAccess
from .credentials import DeviceConfig
from .trust import Trust

# With the customer's server, or with a cloud.
@type_check_only
class Conversation(Protocol):
    request_id: str | None
    def fetch(self) -> tuple[str, DeviceConfig | None]: ...
    def acknowledge(self) -> None: ...
    def close(self) -> None: ...

def begin(
    access: PointAccess,
    url: str | None,
    data: Mapping[str, object],
    headers: Mapping[str, str] | None,
) -> Conversation: ...

# Only its truth counts: a list of pins, say.
def must_verify(trust: Trust | None) -> object: ...
def check_verified(access: PointAccess) -> None: ...

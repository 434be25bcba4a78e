from collections.abc import Callable, Mapping
from typing import Literal, TypedDict, type_check_only

from .settings import Settings

# What a board registers with a cloud as.
@type_check_only
class Registration(TypedDict):
    source: Literal["aliyun", "gizwits"]
    by: str
    deviceName: str
    productSecret: str | None
    region: str | None
    instanceId: str | None
    signMethod: str | None

def of(
    source: str, given: Mapping[str, object]
) -> tuple[dict[str, Callable[..., str]], dict[str, str], tuple[str, ...]]: ...
def registration(wanted: Settings, imei: str) -> Registration: ...

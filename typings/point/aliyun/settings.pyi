from collections.abc import Callable, Mapping
from typing import Literal, TypedDict, type_check_only

from ..settings import Settings

# What a board registers with the cloud as.
@type_check_only
class AliyunIdentity(TypedDict):
    source: Literal["aliyun"]
    by: str
    deviceName: str
    productSecret: str | None
    region: str | None
    instanceId: str | None
    signMethod: str | None

def rules(
    given: Mapping[str, object],
) -> tuple[
    dict[str, Callable[..., str] | tuple[str, ...]], dict[str, str], tuple[str, ...]
]: ...
def identity(wanted: Settings, imei: str) -> AliyunIdentity: ...

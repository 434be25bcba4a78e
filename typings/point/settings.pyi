from types import ModuleType
from typing import Literal, NotRequired, TypedDict, type_check_only

from .credentials import ConnectPart, Will

# What the board knows better than the server: members of "connect", and a will.
@type_check_only
class Mqtt(ConnectPart, total=False):
    will: Will

# docs/settings.md.
@type_check_only
class Settings(TypedDict):
    source: Literal["access", "aliyun", "gizwits"]
    productKey: str
    timeoutS: int
    spreadS: int
    mqtt: Mqtt
    pins: list[bytes]
    url: NotRequired[str]
    ca: NotRequired[str]
    productSecret: NotRequired[str]
    policy: NotRequired[Literal["device-key", "product-secret", "open"]]
    deviceName: NotRequired[str]
    register: NotRequired[str]
    region: NotRequired[str]
    instanceId: NotRequired[str]
    signMethod: NotRequired[str]

def load_cloud(source: str) -> ModuleType: ...
def parse(text: bytes) -> Settings: ...

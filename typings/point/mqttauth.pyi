from collections.abc import Callable
from typing import NotRequired, TypedDict, type_check_only

from .credentials import Device, DeviceConfig, Options, Will

@type_check_only
class Login(TypedDict):
    host: str
    port: int
    ssl: int
    clientId: str
    user: str
    password: str
    keepAlive: int
    cleanSession: int
    qos: int
    will: NotRequired[Will]
    auth: NotRequired[str]
    region: NotRequired[str]
    instanceId: NotRequired[str]
    signMethod: NotRequired[str]

def plain(
    device: Device, connect: Options, random: Callable[[int], bytes]
) -> tuple[str, str, str]: ...
def aliyun(
    device: Device, connect: Options, random: Callable[[int], bytes]
) -> tuple[str, str, str]: ...
def aliyun_token(
    device: Device, connect: Options, random: Callable[[int], bytes]
) -> tuple[str, str, str]: ...
def gizwits(
    device: Device, connect: Options, random: Callable[[int], bytes]
) -> tuple[str, str, str]: ...
def gizwits_classic(
    device: Device, connect: Options, random: Callable[[int], bytes]
) -> tuple[str, str, str]: ...

SCHEMES: dict[
    str,
    Callable[[Device, Options, Callable[[int], bytes]], tuple[str, str, str]],
]

def topic(config: DeviceConfig) -> str: ...
def settings(config: DeviceConfig, random: Callable[[int], bytes]) -> Login: ...

from collections.abc import Callable, Mapping
from typing import NotRequired, TypedDict, type_check_only

# docs/protocol.md, "The result".
@type_check_only
class Device(TypedDict):
    productKey: str
    productSecret: NotRequired[str | None]  # a board always has it, a reply may not
    deviceName: str
    deviceSecret: str | None  # None only beside an authKey
    authKey: NotRequired[str]

@type_check_only
class Will(TypedDict):
    topic: str
    message: str

@type_check_only
class Options(TypedDict, total=False):
    port: int
    ssl: int
    keepAlive: int
    clientId: str
    auth: str
    region: str
    instanceId: str
    signMethod: str

@type_check_only
class ConnectPart(Options, total=False):
    qos: int
    host: str
    cleanSession: int

@type_check_only
class Connect(Options):
    qos: int
    host: str
    cleanSession: int
    will: NotRequired[Will]  # by the board's settings only

@type_check_only
class DeviceConfig(TypedDict):
    device: Device
    connect: Connect

CONNECT: dict[str, Callable[[str, object], int | str]]

def text(name: str, value: object, longest: int = 256) -> str: ...
def word(name: str, value: object, longest: int = 64, marks: str = "-_.:@") -> str: ...
def host(name: str, value: object) -> str: ...
def number(name: str, value: object, least: int, most: int) -> int: ...
def flag(name: str, value: object) -> int: ...
def connect(given: Mapping[str, object]) -> ConnectPart: ...
def checked(result: object) -> DeviceConfig: ...

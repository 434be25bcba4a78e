from collections.abc import Callable
from typing import NotRequired, Protocol, TypedDict, type_check_only

from .access import Connection
from .credentials import Will
from .trust import Trust

# What a board's mqtt() is given: firmware/template/board.py.
@type_check_only
class MqttSettings(TypedDict):
    host: str
    port: int
    trust: Trust | None
    clientId: str
    user: str
    password: str
    keepAlive: int
    cleanSession: int
    received: Callable[[bytes, bytes], object]
    will: NotRequired[Will]
    withinS: NotRequired[float]

# The module umqtt.simple, as far as it is used.
@type_check_only
class Library(Protocol):
    @property
    def MQTTClient(self) -> Callable[..., UmqttClient]: ...

@type_check_only
class UmqttClient(Protocol):
    def set_callback(self, f: Callable[[bytes, bytes], object], /) -> None: ...
    def set_last_will(
        self, topic: str, msg: str, retain: bool, qos: int, /
    ) -> None: ...
    def connect(self, clean_session: bool, /) -> object: ...
    def subscribe(self, topic: str | bytes, qos: int, /) -> None: ...
    def publish(
        self, topic: str | bytes, msg: str | bytes, retain: bool, qos: int, /
    ) -> None: ...
    def check_msg(self) -> object: ...
    def ping(self) -> None: ...
    def disconnect(self) -> None: ...

class Client:
    def __init__(
        self,
        library: Library,
        connect: Callable[[str, int, Trust | None, float], Connection],
        settings: MqttSettings,
    ) -> None: ...
    def connect(self) -> None: ...
    def subscribe(self, topic: str | bytes, qos: int) -> None: ...
    def publish(self, topic: str | bytes, message: str | bytes, qos: int) -> None: ...
    def check(self) -> bool: ...
    def ping(self) -> None: ...
    def disconnect(self) -> None: ...
    def close(self) -> None: ...

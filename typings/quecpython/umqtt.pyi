"""QuecPython's MQTT client; the order of publish()'s arguments is its own."""

from collections.abc import Callable

class MQTTClient:
    def __init__(
        self,
        client_id: bytes,
        server: str,
        port: int = 0,
        user: bytes | None = None,
        password: bytes | None = None,
        keepalive: int = 0,
        ssl: bool = False,
        ssl_params: dict[str, str] = {},
        reconn: bool = True,
        version: int = 4,
    ) -> None: ...
    def set_callback(self, callback: Callable[[bytes, bytes], None]) -> None: ...
    def set_last_will(
        self, topic: bytes, msg: bytes, retain: bool = False, qos: int = 0
    ) -> None: ...
    def connect(self, clean_session: bool = True) -> int: ...
    def subscribe(self, topic: bytes, qos: int = 0) -> int | None: ...
    def publish(
        self, topic: bytes, msg: bytes, retain: bool = False, qos: int = 0
    ) -> bool | None: ...
    def ping(self) -> None: ...
    def wait_msg(self) -> None: ...
    def disconnect(self) -> None: ...

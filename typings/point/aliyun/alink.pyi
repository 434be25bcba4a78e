from collections.abc import Callable
from typing import Any

from ..credentials import Device
from ..session import Session

class Request:
    number: str
    text: bytes
    then: Callable[[int | None, Any], object] | None
    every_ms: int
    left: int
    due: int
    def __init__(
        self,
        number: str,
        text: bytes,
        then: Callable[[int | None, Any], object] | None,
        every_ms: int,
        times: int,
    ) -> None: ...

# The data of replies and the params of requests are the cloud's: any JSON.
class Alink:
    steps: list[Callable[[bool], object]]
    device: Device
    def __init__(
        self,
        session: Session,
        device: Device,
        random: Callable[[int], bytes],
        log: Callable[[str, object], object] = ...,
    ) -> None: ...
    def ask(
        self,
        method: str,
        params: object,
        then: Callable[[int | None, Any], object] | None = None,
        every_ms: int = 0,
        times: int = 1,
    ) -> Request: ...
    def serve(self, name: str, handler: Callable[[dict[str, Any]], object]) -> None: ...
    def received(self, topic: bytes, message: bytes) -> bool: ...
    def step(self) -> None: ...
    def call(
        self, function: Callable[..., object] | None, *arguments: object
    ) -> bool: ...

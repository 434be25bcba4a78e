from collections.abc import Sequence
from typing import Any, Protocol, TypedDict, type_check_only

from .compat import io
from .stream import Stream

# Whom a board trusts; without members nobody is verified.
@type_check_only
class Trust(TypedDict, total=False):
    ca: bytes | None  # as DER
    pins: Sequence[bytes]  # SHA-256 of certificates

# What a TLS library gives, as far as it is used: each firmware's has more.
@type_check_only
class Tls(Protocol):
    def read(self, count: int, /) -> bytes | None: ...
    def write(self, data: memoryview, /) -> int: ...
    def close(self) -> None: ...

# The sockets and TLS objects are the runtime's own, of another class on each.
def wrap(
    stream: Stream, sock: Any, host: str, trust: Trust
) -> tuple[Any, Tls | None]: ...
def check_pins(secure: Any, pins: Sequence[bytes] | None) -> None: ...

class StreamIO(io.IOBase):
    def __init__(self, stream: Stream) -> None: ...
    def readinto(self, buffer: bytearray) -> int | None: ...
    def write(self, data: bytes) -> int | None: ...
    def ioctl(self, request: int, argument: int) -> int: ...

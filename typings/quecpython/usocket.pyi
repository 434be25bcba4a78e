"""TCP; there is no TCP_NODELAY."""

SOCK_STREAM: int

_Address = tuple[str, int]

class socket:
    def __init__(self, family: int, type: int, /) -> None: ...
    def connect(self, address: _Address, /) -> None: ...
    def send(self, data: bytes, /) -> int: ...
    def recv(self, most: int, /) -> bytes: ...
    def settimeout(self, seconds: float | None, /) -> None:
        """Holds for connect() too, between 1 and 24 s."""

    def getsocketsta(self) -> int:
        """lwIP's state, 4 being connected; not on every module."""

    def close(self) -> None: ...

def getaddrinfo(host: str, port: int, /) -> list[tuple[int, int, int, str, _Address]]:
    """Empty if the name does not resolve."""

from typing import Protocol, type_check_only

@type_check_only
class Readable(Protocol):
    def read(self, count: int, /) -> bytes | None: ...

class Reply:
    last: bool
    def __init__(self, stream: Readable) -> None: ...
    def read(self) -> tuple[int, bytes]: ...

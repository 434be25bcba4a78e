from collections.abc import Callable, Mapping
from typing import Any, Final

OK: Final = 200
REQUEST_ERROR: Final = 400
TOO_MANY: Final = 429
PARAMETER_ERROR: Final = 460
SERVICE_ERROR: Final = 500

def request(number: int, method: str, params: object) -> bytes: ...

# What a message holds beside its id is the cloud's: whatever JSON can hold.
def decode(message: bytes) -> dict[str, Any]: ...

class Answers:
    def __init__(self, log: Callable[[str, object], object]) -> None: ...
    def answer(
        self,
        message: bytes,
        members: Mapping[str, Any],
        handler: Callable[[dict[str, Any]], object],
    ) -> bytes: ...

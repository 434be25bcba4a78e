from collections.abc import Mapping
from typing import Any, Final

CANDIDATE: Final = 1
CONFIRMED: Final = 2
MAX_RECORD: Final = 4096
MAX_SLOT: Final = 4180

def encode(
    state: int,
    sequence: int,
    record: Mapping[str, object],
    key: bytes | None = None,
    iv: bytes | None = None,
) -> bytes | None: ...

# The record is whatever JSON can hold.
def decode(
    data: bytes, key: bytes | None = None
) -> tuple[int, int, dict[str, Any]] | None: ...

from typing import Final

TO_DEVICE: Final = 0x0090
FROM_DEVICE: Final = 0x0091
ASKED: Final = 0x0093
ANSWERED: Final = 0x0094
CONTROL: Final = 1
READ: Final = 2
STATUS: Final = 3
REPORT: Final = 4
MAX_PAYLOAD: Final = 4096

def encode(command: int, payload: bytes, number: int | None = None) -> bytes: ...
def decode(frame: bytes) -> tuple[int, bytes, int | None]: ...

from typing import Final

LOAD: Final = 0
SPREAD: Final = 1
ONLINE: Final = 2
CLOCK: Final = 3
FETCH: Final = 4
KEEP: Final = 5
ACKNOWLEDGE: Final = 6
WAIT: Final = 7
REVERT: Final = 8
HAND_OVER: Final = 9
STOP: Final = 10

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2

def next_state(state: int, event: int) -> int: ...
def backoff_ms(attempt: int, chance: bytes, retry_after_s: int = 0) -> int: ...
def random_part(most: int, chance: bytes) -> int: ...

"""The radio and its network."""

from typing import Any

def csqQueryPoll() -> int:
    """Signal strength, 0 to 31; 99 or -1 if there is none."""

def nitzTime() -> Any:
    """(text, Unix seconds, leap seconds) as the network last told it, or -1."""

def setModemFun(function: int, reset: int = 0, /) -> int:
    """0 switches the radio off, 1 on; gives 0 or -1."""

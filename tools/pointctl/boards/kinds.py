"""The kinds of boards that there is firmware for."""

from enum import StrEnum


class BoardKind(StrEnum):
    """The name of a folder in firmware/."""

    ESP32 = "esp32"
    QUECPYTHON = "quecpython"
    UNIX = "unix"


def parse_kind(text: str) -> BoardKind | None:
    """Return the kind of this name, None if there is no such kind."""
    return BoardKind(text) if text in list(BoardKind) else None

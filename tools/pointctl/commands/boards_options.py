"""What the commands for boards have in common."""

from enum import StrEnum
from typing import Annotated

import typer

from point import imei as imeis
from point.errors import PointError
from pointctl.errors import PointctlError


class Kind(StrEnum):
    """The boards that there is firmware for."""

    ESP32 = "esp32"
    QUECPYTHON = "quecpython"
    UNIX = "unix"


Port = Annotated[
    str, typer.Argument(metavar="PORT", help="As of pointctl boards list.")
]
Board = Annotated[
    Kind | None, typer.Option("--board", help="What it is; else it is found out.")
]
Answer = Annotated[
    float, typer.Option("--answer", min=1, help="Wait so many s for each answer.")
]


def check_imei(imei: str) -> None:
    """Raise PointctlError for what is no IMEI."""
    try:
        imeis.check(imei)
    except PointError as error:
        raise PointctlError(f"{imei}: {error.detail}") from error

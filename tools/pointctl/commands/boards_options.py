"""Arguments and options that the commands for boards share."""

from typing import Annotated

import typer

from pointctl.boards.kinds import BoardKind

Port = Annotated[
    str, typer.Argument(metavar="PORT", help="A port that pointctl boards list shows.")
]
Kind = Annotated[
    BoardKind | None,
    typer.Option("--board", help="The kind of board; default: ask the board."),
]
AnswerTimeout = Annotated[
    float, typer.Option("--answer", min=1, help="Seconds to wait for each answer.")
]

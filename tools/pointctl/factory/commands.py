"""pointctl factory …: plan a job, run the station, see what came of it."""

import typer

from pointctl.factory import (
    plan_commands,
    report_commands,
    station_commands,
    stock_commands,
)

app = typer.Typer(no_args_is_help=True, help="The factory line.")
for room in (plan_commands, station_commands, report_commands, stock_commands):
    app.add_typer(room.app)

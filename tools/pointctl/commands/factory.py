"""pointctl factory …: plan a job, run the station, see what came of it."""

import typer

from pointctl.commands import (
    factory_plan,
    factory_report,
    factory_station,
    factory_stock,
)

app = typer.Typer(no_args_is_help=True, help="The factory line.")
for room in (factory_plan, factory_station, factory_report, factory_stock):
    app.add_typer(room.app)

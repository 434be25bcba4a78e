"""pointctl factory …: plan a job, run the station, report on the job."""

import typer

from pointctl.commands import (
    factory_plan,
    factory_report,
    factory_station,
    factory_stock,
)

app = typer.Typer(no_args_is_help=True, help="The factory line.")
for module in (factory_plan, factory_station, factory_report, factory_stock):
    app.add_typer(module.app)

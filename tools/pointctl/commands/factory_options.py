"""The argument that all commands of the factory share."""

from pathlib import Path
from typing import Annotated

import typer

JobFolder = Annotated[Path, typer.Argument(metavar="JOB", help="The job's folder.")]

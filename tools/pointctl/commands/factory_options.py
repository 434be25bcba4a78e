"""What the commands of the factory have in common."""

from pathlib import Path
from typing import Annotated

import typer

JobFolder = Annotated[Path, typer.Argument(metavar="JOB", help="The job's folder.")]

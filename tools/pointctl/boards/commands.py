"""pointctl boards …"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from point import imei as imeis
from point.errors import FETCH_FAILED, NO_CODE_IN_REPLY, SUCCESS, PointError
from pointctl.boards import simulate
from pointctl.certificates import CaFiles
from pointctl.errors import PointctlError, Refused
from pointctl.folder import DataFolder
from pointctl.options import DATA, Data, Json, print_json
from pointctl.registry.commands import PRODUCT, opened

app = typer.Typer(no_args_is_help=True, help="Boards, and what stands in for them.")


@app.callback()
def boards() -> None:
    """Boards, and what stands in for them."""


@app.command(
    "simulate",
    epilog="Example: pointctl boards simulate 490154203237518 --product meter",
)
def boards_simulate(
    imei: Annotated[str, typer.Argument(help="15 digits.")],
    product: Annotated[str, PRODUCT],
    url: Annotated[
        str, typer.Option(help="The endpoint of boards.")
    ] = "https://127.0.0.1:8443/v1/access",
    ca: Annotated[
        Path | None, typer.Option(help="DER; else the one of pointctl ca init.")
    ] = None,
    flash: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep its flash here, for another boot; else forget it."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="In seconds.")] = 120,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Boot the real firmware on MicroPython here, until it has its credentials.

    Its flash is filled as the factory would fill it. It proves itself to the server,
    keeps what it is given, and is switched off.
    """
    try:
        imeis.check(imei)
    except PointError as error:
        raise PointctlError(f"{imei}: {error.detail}") from error
    folder = DataFolder(data)
    authority = ca or CaFiles(folder.ca).ca_der
    if not authority.is_file():
        raise PointctlError(f"{authority} is missing; run pointctl ca init")
    with tempfile.TemporaryDirectory(prefix="pointaccess-board-") as forgotten:
        board = flash or Path(forgotten) / "flash"
        if not board.exists():
            with opened(data) as database:
                simulate.assemble(
                    board,
                    database,
                    folder,
                    product,
                    imei,
                    url=url,
                    ca=authority.read_bytes(),
                )
        out = sys.stderr if as_json else sys.stdout
        outcome = simulate.boot(
            board, imei, lambda line: print(line, file=out), timeout
        )
    if as_json:
        print_json({"imei": imei, "code": outcome.code, "detail": outcome.detail})
    if outcome.code == SUCCESS:
        return
    failed = outcome.code in (FETCH_FAILED, NO_CODE_IN_REPLY)
    raise (PointctlError if failed else Refused)(
        f"no credentials: {outcome.code} {outcome.detail}"
    )

"""pointctl boards …: list, info, provision, log, reset, wipe and simulate."""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

import typer

from pointctl.boards import info, provision, wipe
from pointctl.boards.connection import Connection
from pointctl.boards.info import BoardInfo
from pointctl.boards.provision import Provisioned
from pointctl.certificates import CaFiles
from pointctl.commands import boards_deploy
from pointctl.commands.boards_options import AnswerTimeout, Kind, Port
from pointctl.commands.options import DATA, PRODUCT, Data, Json, print_json, print_table
from pointctl.errors import PointctlError, Refused
from pointctl.folder import DataFolder
from pointctl.imeis import check_imei

app = typer.Typer(
    no_args_is_help=True, help="Boards on serial ports, and simulated ones."
)
app.add_typer(boards_deploy.app)


@app.callback()
def boards() -> None:
    """Boards on serial ports, and simulated ones."""


@app.command("list", epilog="Example: pointctl boards list")
def boards_list(as_json: Json = False) -> None:
    """List the serial ports, with a guess at what is on each."""
    from pointctl.boards import ports

    found = [
        {
            "port": port.device,
            "guess": port.guess,
            "serial_number": port.serial_number,
            "description": port.description,
        }
        for port in ports.find_ports()
    ]
    if as_json:
        print_json(found)
    elif found:
        print_table(found, "port", "guess", "serial_number", "description")
    else:
        print("there are no serial ports; plug a board in", file=sys.stderr)


@app.command("info", epilog="Example: pointctl boards info /dev/ttyUSB0")
def boards_info(
    port: Port, board: Kind = None, answer: AnswerTimeout = 10, as_json: Json = False
) -> None:
    """Show what a board is and what is on it, no secrets. The board is restarted."""
    with Connection(port, board, answer) as connection:
        found = info.gather(connection)
        connection.restart()
    if as_json:
        print_json(asdict(found))
    else:
        for name, value in _info_lines(found).items():
            print(f"{name:12} {value}")


@app.command("provision", epilog="Example: pointctl boards provision /dev/ttyUSB0")
def boards_provision(
    port: Port,
    board: Kind = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for its credentials.")
    ] = 180,
    answer: AnswerTimeout = 10,
    as_json: Json = False,
) -> None:
    """Boot a board until it has its credentials, and read back that it stored them.

    Shows the board's log. Afterwards the board goes on running. Its secret never leaves
    it.
    """
    out = sys.stderr if as_json else sys.stdout
    with Connection(port, board, answer) as connection:
        done = provision.provision(
            connection, lambda line: print(line, file=out, flush=True), timeout
        )
    if as_json:
        print_json(_provisioned_json(port, done))
    done.outcome.check()
    if done.stored and not as_json:
        stored = done.stored
        print(f"{stored.device_name} of {stored.product_key} is in flash")


@app.command("log", epilog="Example: pointctl boards log /dev/ttyUSB0 --for 60")
def boards_log(
    port: Port,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="End after so many seconds.")
    ] = None,
) -> None:
    """Show what a running board prints, without disturbing it, until Ctrl-C."""
    from pointctl.boards import listen

    for line in listen.read_lines(port, seconds):
        print(line, flush=True)


@app.command("reset", epilog="Example: pointctl boards reset /dev/ttyUSB0")
def boards_reset(port: Port, board: Kind = None, answer: AnswerTimeout = 10) -> None:
    """Restart a board into its program."""
    with Connection(port, board, answer) as connection:
        connection.restart()


@app.command("wipe", epilog="Example: pointctl boards wipe /dev/ttyUSB0 --yes")
def boards_wipe(
    port: Port,
    board: Kind = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also remove the settings and claim.key.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask for confirmation.")
    ] = False,
    answer: AnswerTimeout = 10,
    as_json: Json = False,
) -> None:
    """Remove a board's credentials, both slots, and its pending claim.

    After its next start it claims again: check that the server allows that.
    """
    if not yes and not _agreed(f"Remove the credentials of the board at {port}?"):
        raise Refused("nothing was removed; give --yes to remove without a question")
    with Connection(port, board, answer) as connection:
        gone = wipe.wipe(connection.board, everything=everything)
        if everything and wipe.has_key_elsewhere(connection.board):
            print(
                "note: the board keeps its claim key elsewhere, and still has it",
                file=sys.stderr,
            )
    if as_json:
        print_json({"port": port, "removed": gone})
    else:
        print(f"removed {', '.join(gone)}" if gone else "there was nothing to remove")


@app.command(
    "simulate",
    epilog="Example: pointctl boards simulate 490154203237518 --product meter",
)
def boards_simulate(
    imei: Annotated[str, typer.Argument(help="15 digits.")],
    product: Annotated[str, PRODUCT],
    url: Annotated[
        str, typer.Option(help="The URL that boards request.")
    ] = "https://127.0.0.1:8443/v1/access",
    ca: Annotated[
        Path | None, typer.Option(help="DER; default: the one of pointctl ca init.")
    ] = None,
    flash: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep its flash here for another boot."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for its credentials.")
    ] = 120,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Boot the real firmware on this machine's MicroPython until it has credentials.

    Its flash is filled as the factory would fill it. The board proves to the server who
    it is, stores its credentials, and is switched off.
    """
    # Imported here: only this command needs the registry.
    from pointctl.boards import simulate
    from pointctl.registry.opening import open_registry

    check_imei(imei)
    folder = DataFolder(data)
    authority = ca or CaFiles(folder.ca).ca_der
    if not authority.is_file():
        raise PointctlError(f"{authority} is missing; run pointctl ca init")
    with tempfile.TemporaryDirectory(prefix="pointaccess-board-") as forgotten:
        board = flash or Path(forgotten) / "flash"
        if not board.exists():
            with open_registry(data) as database:
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
    outcome.check()


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:  # stdin is closed
        return False


class _ProvisionedJson(TypedDict):
    port: str
    code: str
    detail: str
    product_key: NotRequired[str]
    device_name: NotRequired[str]
    standing: NotRequired[str]


def _provisioned_json(port: str, done: Provisioned) -> _ProvisionedJson:
    outcome, stored = done.outcome, done.stored
    result: _ProvisionedJson = {
        "port": port,
        "code": outcome.code,
        "detail": outcome.detail,
    }
    if stored:
        result["product_key"] = stored.product_key
        result["device_name"] = stored.device_name
        result["standing"] = info.credential_state(stored)
    return result


def _info_lines(found: BoardInfo) -> dict[str, str]:
    """Return the lines of `info` for people: a name and a value each."""
    installed, credentials = found.installed, found.credentials
    version = f" {installed.version}" if installed.version else ""
    files = f", {installed.matching} of {installed.files} files match"
    owner = (credentials.get("product_key"), credentials.get("device_name"))
    whose = "".join(f", {name}" for name in owner if name is not None)
    free = found.flash_free
    return {
        "port": found.port,
        "board": found.board,
        "runtime": f"{found.runtime} on {found.platform}",
        "mpy": f"version {found.mpy}" if found.mpy else "none",
        "IMEI": found.imei or f"unknown: {found.imei_error}",
        "flash": "unknown" if free is None else f"{free // 1024} KB free",
        "heap": f"{found.heap_free // 1024} KB free",
        "installed": installed.state + version + (files if installed.files else ""),
        "settings": "there" if found.settings else "missing",
        "claim key": "there" if found.claim_key else "missing",
        "credentials": credentials["standing"] + whose,
        "claim": "under way" if found.claim_under_way else "none",
    }

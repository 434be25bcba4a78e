"""pointctl boards …"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from pointctl.boards import info, provision, simulate, wipe
from pointctl.boards.connection import Connection
from pointctl.certificates import CaFiles
from pointctl.commands import boards_deploy
from pointctl.commands.boards_options import Answer, Board, Port, check_imei
from pointctl.commands.options import DATA, PRODUCT, Data, Json, print_json, print_table
from pointctl.errors import PointctlError, Refused
from pointctl.folder import DataFolder
from pointctl.registry.opening import open_registry

app = typer.Typer(no_args_is_help=True, help="Boards, and what stands in for them.")
app.add_typer(boards_deploy.app)


@app.callback()
def boards() -> None:
    """Boards, and what stands in for them."""


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
        for port in ports.listed()
    ]
    if as_json:
        print_json(found)
    elif found:
        print_table(found, "port", "guess", "serial_number", "description")
    else:
        print("no serial ports; plug a board in", file=sys.stderr)


@app.command("info", epilog="Example: pointctl boards info /dev/ttyUSB0")
def boards_info(
    port: Port, board: Board = None, answer: Answer = 10, as_json: Json = False
) -> None:
    """Say what a board is and what is on it, no secrets. It is restarted after that."""
    with Connection(port, board, answer) as connection:
        found = info.gather(connection)
        connection.restart()
    if as_json:
        print_json(found)
    else:
        for name, value in _shown(found).items():
            print(f"{name:12} {value}")


@app.command("provision", epilog="Example: pointctl boards provision /dev/ttyUSB0")
def boards_provision(
    port: Port,
    board: Board = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="For its credentials, in seconds.")
    ] = 180,
    answer: Answer = 10,
    as_json: Json = False,
) -> None:
    """Boot a board until it has its credentials, and read back that they are kept.

    Its log is shown. After that it goes on running; its secret stays with it.
    """
    out = sys.stderr if as_json else sys.stdout
    with Connection(port, board, answer) as connection:
        done = provision.provision(
            connection, lambda line: print(line, file=out, flush=True), timeout
        )
    found: dict[str, Any] = {"port": port, **vars(done.outcome)}
    if done.kept:
        found["product_key"] = done.kept.product_key
        found["device_name"] = done.kept.device_name
        found["standing"] = info.standing(done.kept)
    if as_json:
        print_json(found)
    done.outcome.check()
    if not as_json:
        print(f"{found['device_name']} of {found['product_key']} is in flash")


@app.command("log", epilog="Example: pointctl boards log /dev/ttyUSB0 --for 60")
def boards_log(
    port: Port,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="So many seconds, then end.")
    ] = None,
) -> None:
    """Show what a running board prints, without disturbing it, until Ctrl-C."""
    from pointctl.boards import listen

    for line in listen.lines(port, seconds):
        print(line, flush=True)


@app.command("reset", epilog="Example: pointctl boards reset /dev/ttyUSB0")
def boards_reset(port: Port, board: Board = None, answer: Answer = 10) -> None:
    """Restart a board into its program."""
    with Connection(port, board, answer) as connection:
        connection.restart()


@app.command("wipe", epilog="Example: pointctl boards wipe /dev/ttyUSB0 --yes")
def boards_wipe(
    port: Port,
    board: Board = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The settings and claim.key, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    answer: Answer = 10,
    as_json: Json = False,
) -> None:
    """Remove a board's credentials, both slots, and its pending claim.

    It claims again when it is started again: see that the server lets it.
    """
    if not yes and not _agreed(f"Remove the credentials of the board at {port}?"):
        raise Refused("nothing was removed; --yes does not ask")
    with Connection(port, board, answer) as connection:
        gone = wipe.wipe(connection.board, everything=everything)
        if everything and wipe.key_elsewhere(connection.board):
            print(
                "note: the board keeps its claim key outside its files, and has it yet",
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
    except typer.Abort:  # nobody is there to say so
        return False


def _shown(found: dict[str, Any]) -> dict[str, str]:
    """What info.gather() found, a line each."""
    there, kept = found["installed"], found["credentials"]
    version = f" {there['version']}" if there["version"] else ""
    files = f", {there['matching']} of {there['files']} files match"
    whose = "".join(f", {kept[n]}" for n in ("product_key", "device_name") if n in kept)
    free = found["flash_free"]
    return {
        "port": found["port"],
        "board": found["board"],
        "runtime": f"{found['runtime']} on {found['platform']}",
        "mpy": f"version {found['mpy']}" if found["mpy"] else "none",
        "IMEI": found["imei"] or f"unknown: {found['imei_error']}",
        "flash": "unknown" if free is None else f"{free // 1024} KB free",
        "heap": f"{found['heap_free'] // 1024} KB free",
        "installed": there["state"] + version + (files if there["files"] else ""),
        "settings": "there" if found["settings"] else "missing",
        "claim key": "there" if found["claim_key"] else "missing",
        "credentials": kept["standing"] + whose,
        "claim": "under way" if found["claim_under_way"] else "none",
    }

"""pointctl boards deploy: what is given on the command line, made into a deployment."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from pointctl.boards import claim_keys, deploy, image, plan, provision, setup_files
from pointctl.boards.claim_keys import ClaimKey
from pointctl.boards.connection import Connection
from pointctl.boards.deploy import Deployment, Firmware, State
from pointctl.boards.setup_files import Setup
from pointctl.certificates import CaFiles
from pointctl.commands.boards_options import Answer, Kind, Port, check_imei
from pointctl.commands.options import DATA, Data, Json, print_json, print_table, stderr
from pointctl.folder import DataFolder

app = typer.Typer()

_DEVICE_KEY = "device-key"
_KEY_BYTES = 65  # hex digits and a newline
_FILE = {"exists": True, "dir_okay": False}


@app.command(
    "deploy",
    epilog="Example: pointctl boards deploy /dev/ttyUSB0 --board esp32 "
    "--settings settings.json --wiring board.json --ca ca.pem --run",
)
def boards_deploy(
    port: Port,
    board: Annotated[Kind, typer.Option("--board", help="What it is.")],
    settings: Annotated[
        Path | None, typer.Option(help="settings.json; else as it is.", **_FILE)
    ] = None,
    wiring: Annotated[
        Path | None, typer.Option(help="board.json of an ESP32.", **_FILE)
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="PEM or DER; else beside them, or of ca init."),
    ] = None,
    claim_key: Annotated[
        Path | None,
        typer.Option(help="File of keys derive; else the registry's, if it is here."),
    ] = None,
    keep_claim_key: Annotated[
        bool, typer.Option("--keep-claim-key", help="Leave it as it is.")
    ] = False,
    imei: Annotated[
        str | None, typer.Option(help="For its key, if the board cannot tell it.")
    ] = None,
    main: Annotated[
        Path | None, typer.Option(help="Your own program instead of main.py.", **_FILE)
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="Python instead of .mpy.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done.")
    ] = False,
    run: Annotated[
        bool, typer.Option("--run", help="Then start it, until it has credentials.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="With --run: for its credentials, in seconds.")
    ] = 180,
    answer: Answer = 10,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Put the firmware and its setup on a board: only what has changed, by hash.

    Interrupted, the board runs nothing instead of a mix of versions, and the same
    command goes on where it stopped. Credentials on the board are not touched.
    """
    if imei:
        check_imei(imei)
    if ca and not settings:
        raise typer.BadParameter("--ca goes with --settings, which name it")
    setup = setup_files.NOTHING
    if settings:
        own = CaFiles(DataFolder(data).ca).ca_der
        setup = setup_files.read(settings, ca, own)
    if wiring:
        setup = setup_files.with_wiring(setup, wiring)
    key = None
    if not keep_claim_key:
        key = _claim_key(claim_key, setup, data, imei)
    with Connection(port, board, answer) as connection:
        firmware = image.firmware(board, connection.facts, source=source, main=main)
        setup_files.check_names(setup, firmware.files)
        state = deploy.look(connection.board, {**firmware.files, **setup.files})
        if key and not claim_keys.lacks(connection.board, key):
            key = None
        copied: list[str] = []
        if not dry_run:
            copied = _carry_out(connection, firmware, setup, key, state)
        _report(firmware, state, key, copied, dry_run, as_json)
        if run and not dry_run:
            out = sys.stderr if as_json else sys.stdout
            provision.watch(
                connection, lambda line: print(line, file=out, flush=True), timeout
            ).check()


def _claim_key(
    file: Path | None, setup: Setup, data: Path, imei: str | None
) -> ClaimKey | None:
    """What the board is to be given, None if nothing is known of it here."""
    if file:
        return claim_keys.of_file(file)
    if setup.policy != _DEVICE_KEY or setup.product_key is None:
        return None
    found = claim_keys.of_registry(data, setup.product_key, imei)
    if found is None:
        print(
            "note: there is no claim master here, so the board's claim key stays as it "
            "is; --claim-key FILE gives it one",
            file=sys.stderr,
        )
    return found


def _carry_out(
    connection: Connection,
    firmware: Firmware,
    setup: Setup,
    key: ClaimKey | None,
    state: State,
) -> list[str]:
    """Do it, with a bar on the terminal; what was copied."""
    if state.done(firmware) and key is None:
        return []
    deploy.check_room(connection.board, state)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
    )
    with Progress(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as bar:
        task = bar.add_task("copying")

        def report(path: str, copied: int, total: int) -> None:
            bar.update(task, description=path, completed=copied, total=total)

        return Deployment(
            connection.board,
            firmware,
            setup.files,
            restarted=connection.restarted,
            report=report,
            claim_key=key,
        ).carry_out(state)


def _report(
    firmware: Firmware,
    state: State,
    key: ClaimKey | None,
    copied: list[str],
    dry_run: bool,
    as_json: bool,
) -> None:
    """What is done, or would be: each file that changes, and how many do not."""
    steps = [*state.plan.steps]
    if key:
        steps.append(plan.Step(plan.CLAIM_KEY, plan.Action.REPLACE, _KEY_BYTES, 0))
    rows = [{"file": s.path, "what": s.action.value, "bytes": s.size} for s in steps]
    if as_json:
        found: dict[str, Any] = {
            "board": firmware.board,
            "version": firmware.version,
            "dry_run": dry_run,
            "unfinished_before": state.unfinished,
            "copied": copied,
            "removed": [] if dry_run else state.plan.stale,
        }
        print_json({**found, "files": rows} if dry_run else found)
        return
    if state.unfinished:
        print("an earlier deployment was not finished", file=sys.stderr)
    changed = [row for row in rows if row["what"] != plan.Action.KEEP]
    if dry_run and changed:
        print_table(changed, "file", "what", "bytes")
    would = "would copy" if dry_run else "copied"
    count = len(copied) if not dry_run else len(changed) - len(state.plan.stale)
    print(
        f"{would} {count} files, removed {len(state.plan.stale)}, "
        f"{len(rows) - len(changed)} unchanged: version {firmware.version} for "
        f"{firmware.board}"
    )

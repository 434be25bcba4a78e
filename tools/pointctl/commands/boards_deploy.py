"""pointctl boards deploy: put firmware, settings, CA and claim key on a board."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from pointctl.boards import claim_keys, deploy, image, plan, provision, setup_files
from pointctl.boards.claim_keys import ClaimKey
from pointctl.boards.connection import Connection
from pointctl.boards.deploy import BoardState, Deployment, Firmware
from pointctl.boards.kinds import BoardKind
from pointctl.boards.setup_files import Setup
from pointctl.certificates import CaFiles
from pointctl.commands.boards_options import AnswerTimeout, Port
from pointctl.commands.options import DATA, Data, Json, print_json, print_table, stderr
from pointctl.folder import DataFolder
from pointctl.imeis import check_imei

app = typer.Typer()

_DEVICE_KEY = "device-key"
_KEY_FILE_BYTES = 65  # 64 hex digits and a newline
_EXISTING_FILE = {"exists": True, "dir_okay": False}


@app.command(
    "deploy",
    epilog="Example: pointctl boards deploy /dev/ttyUSB0 --board esp32 "
    "--settings settings.json --wiring board.json --ca ca.pem --run",
)
def boards_deploy(
    port: Port,
    board: Annotated[BoardKind, typer.Option("--board", help="The kind of board.")],
    settings: Annotated[
        Path | None,
        typer.Option(
            help="settings.json; default: what the board has.", **_EXISTING_FILE
        ),
    ] = None,
    wiring: Annotated[
        Path | None,
        typer.Option(help="board.json, for an ESP32.", **_EXISTING_FILE),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="PEM or DER; default: beside the settings, or of ca init."),
    ] = None,
    claim_key: Annotated[
        Path | None,
        typer.Option(
            help="A file of keys derive; default: by this machine's registry."
        ),
    ] = None,
    keep_claim_key: Annotated[
        bool, typer.Option("--keep-claim-key", help="Do not write a claim key.")
    ] = False,
    imei: Annotated[
        str | None, typer.Option(help="To derive the key, if the board cannot read it.")
    ] = None,
    main: Annotated[
        Path | None,
        typer.Option(help="Your own program instead of main.py.", **_EXISTING_FILE),
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="Copy Python source, not .mpy.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    run: Annotated[
        bool,
        typer.Option("--run", help="Start the board, and wait for its credentials."),
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="With --run: seconds to wait for credentials.")
    ] = 180,
    answer: AnswerTimeout = 10,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Put the firmware and its setup on a board; copies only what has changed.

    After an interruption the board runs nothing, so it never runs a mix of versions.
    Repeat the command to go on where it stopped. The board keeps its credentials.
    """
    if imei:
        check_imei(imei)
    if ca and not settings:
        raise typer.BadParameter("--ca needs --settings, which name the CA's file")
    setup = _read_setup(settings, wiring, ca, data)
    key = None if keep_claim_key else _find_claim_key(claim_key, setup, data, imei)
    with Connection(port, board, answer) as connection:
        firmware = image.build(board, connection.facts, source=source, main=main)
        setup_files.check_names(setup, firmware.files)
        state = deploy.inspect(connection.board, {**firmware.files, **setup.files})
        if key and not claim_keys.needs_key(connection.board, key):
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


def _read_setup(
    settings: Path | None, wiring: Path | None, ca: Path | None, data: Path
) -> Setup:
    """Read the files that were named on the command line."""
    setup = setup_files.NO_SETUP
    if settings:
        own = CaFiles(DataFolder(data).ca).ca_der
        setup = setup_files.read(settings, ca, own)
    return setup_files.add_wiring(setup, wiring) if wiring else setup


def _find_claim_key(
    file: Path | None, setup: Setup, data: Path, imei: str | None
) -> ClaimKey | None:
    """Return the claim key to write, None if this machine has none."""
    if file:
        return claim_keys.read_key_file(file)
    if setup.policy != _DEVICE_KEY or setup.product_key is None:
        return None
    found = claim_keys.registry_key(data, setup.product_key, imei)
    if found is None:
        print(
            "note: this machine has no claim master, so no claim key is written; give "
            "one with --claim-key FILE",
            file=sys.stderr,
        )
    return found


def _carry_out(
    connection: Connection,
    firmware: Firmware,
    setup: Setup,
    key: ClaimKey | None,
    state: BoardState,
) -> list[str]:
    """Deploy with a progress bar, and return what was copied."""
    if state.is_deployed(firmware) and key is None:
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
            restart_to_repl=connection.restart_to_repl,
            report=report,
            claim_key=key,
        ).carry_out(state)


def _report(
    firmware: Firmware,
    state: BoardState,
    key: ClaimKey | None,
    copied: list[str],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Print what was done, or would be: each changed file, and how many did not."""
    files = [*state.plan.files]
    if key:
        replace = plan.FileAction.REPLACE
        files.append(plan.PlannedFile(plan.CLAIM_KEY, replace, _KEY_FILE_BYTES, 0))
    rows = [{"file": f.path, "what": f.action.value, "bytes": f.size} for f in files]
    if as_json:
        result = {
            "board": firmware.board,
            "version": firmware.version,
            "dry_run": dry_run,
            "unfinished_before": state.is_unfinished,
            "copied": copied,
            "removed": [] if dry_run else state.plan.stale,
        }
        print_json({**result, "files": rows} if dry_run else result)
        return
    if state.is_unfinished:
        print("an earlier deployment was not finished", file=sys.stderr)
    changed = [row for row in rows if row["what"] != plan.FileAction.KEEP]
    if dry_run and changed:
        print_table(changed, "file", "what", "bytes")
    verb = "would copy" if dry_run else "copied"
    count = len(copied) if not dry_run else len(changed) - len(state.plan.stale)
    print(
        f"{verb} {count} files, removed {len(state.plan.stale)}, "
        f"{len(rows) - len(changed)} unchanged: version {firmware.version} for "
        f"{firmware.board}"
    )

"""pointctl doctor: run all checks of a deployment, and print the findings."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pointctl.certificates import CaFiles
from pointctl.commands.options import DATA, Data, Json, print_json
from pointctl.doctor import files, registry_checks
from pointctl.doctor.findings import Finding, Level, ok, wrong
from pointctl.errors import PartlyFailed, PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.opening import registry_location
from pointctl.registry.storage.database import existing_database
from pointctl.server.broker_hooks import token

app = typer.Typer()


@app.command(epilog="Example: pointctl doctor --backup /backup/registry.backup")
def doctor(
    certificate: Annotated[
        Path | None, typer.Option(help="As for serve; default: that of ca init.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The private key, PEM.")] = None,
    mqtt_hook_token_file: Annotated[
        Path | None, typer.Option(help="As for serve.")
    ] = None,
    backup: Annotated[
        Path | None, typer.Option(help="The newest backup of the registry.")
    ] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Check a deployment; exits with 1 if a finding is wrong, 4 if one is weak."""
    if (certificate is None) != (key is None):
        raise typer.BadParameter("give --certificate and --key together, or neither")
    folder = DataFolder(data)
    own = CaFiles(folder.ca)
    found = [
        files.check_user(),
        *files.check_modes(
            folder, *(path for path in (key, mqtt_hook_token_file) if path)
        ),
        *files.check_certificate(certificate or own.server, key or own.server_key),
        *_check_hook_token(mqtt_hook_token_file),
        *_check_registry(data),
        files.check_backup(backup),
    ]
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        print(*map(_format, found), sep="\n")
    _check_levels(found)


def _format(finding: Finding) -> str:
    line = f"{finding.level:5}  {finding.check}: {finding.found}"
    return f"{line}\n       next: {finding.remedy}" if finding.remedy else line


def _check_levels(found: list[Finding]) -> None:
    """Raise the error whose exit code says how serious the findings are."""
    levels = [finding.level for finding in found]
    if count := levels.count(Level.WRONG):
        raise PointctlError(f"{count} wrong, {levels.count(Level.WEAK)} weak")
    if count := levels.count(Level.WEAK):
        raise PartlyFailed(f"{count} weak")


def _check_hook_token(file: Path | None) -> Iterator[Finding]:
    if file is None:
        return
    try:
        token.read_token(file)
    except (PointctlError, OSError) as error:
        yield wrong(
            "hook token",
            str(error),
            "remove it, and restart the server, which makes a new one",
        )
    else:
        yield ok("hook token", str(file))


def _check_registry(data: Path) -> Iterator[Finding]:
    folder = DataFolder(data)
    try:
        database = existing_database(registry_location(data), folder)
    except PointctlError as error:
        yield wrong("database", str(error), "name it with --data or --database")
        return
    with database:
        if database.file is not None:
            yield from files.check_disk(database.file)
        yield from registry_checks.check_registry(database, folder)

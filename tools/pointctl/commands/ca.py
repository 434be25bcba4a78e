"""pointctl ca …: make and renew certificates of your own."""

from pathlib import Path
from typing import Annotated

import typer

from pointctl import certificates
from pointctl.commands.options import DATA, Data, Json, print_json
from pointctl.folder import DataFolder

app = typer.Typer(
    no_args_is_help=True,
    help="Your own certificate authority, and the server certificate.",
)


@app.command(
    "init",
    epilog="Example: pointctl ca init --name provision.example.com --name 192.0.2.7",
)
def ca_init(
    names: Annotated[
        list[str],
        typer.Option("--name", help="Host name or address of the server; repeatable."),
    ] = list(certificates.LOCAL_NAMES),  # noqa: B006  Typer only reads it
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; default: ca in the data folder."),
    ] = None,
    days: Annotated[
        int,
        typer.Option(
            min=1,
            max=certificates.AUTHORITY_DAYS,
            help="Days that the server certificate is valid.",
        ),
    ] = certificates.SERVER_DAYS,
    force: Annotated[
        bool, typer.Option("--force", help="Replace existing files.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Make a certificate authority and a server certificate."""
    files = certificates.init(out or DataFolder(data).ca, names, days, force=force)
    if as_json:
        print_json({path.name: str(path) for path in files.all()})
        return
    print(f"wrote {', '.join(path.name for path in files.all())} to {files.folder}")
    print(f"next: give boards {files.ca_der}, keep {files.ca_key} offline,")
    print("and start the server with pointctl serve")


@app.command("renew", epilog="Example: pointctl ca renew --days 365")
def ca_renew(
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name", help="New names; default: those that it has; repeatable."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to renew; default: ca in the data folder."),
    ] = None,
    days: Annotated[
        int,
        typer.Option(
            min=1,
            max=certificates.AUTHORITY_DAYS,
            help="Days that the certificate is valid.",
        ),
    ] = certificates.SERVER_DAYS,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Make a new server certificate by the same authority, which boards trust."""
    files = certificates.renew(folder or DataFolder(data).ca, names, days)
    if as_json:
        print_json({path.name: str(path) for path in (files.server, files.server_key)})
        return
    print(f"wrote {files.server.name} and {files.server_key.name} to {files.folder}")
    print("next: nothing; a running server loads it within seconds")

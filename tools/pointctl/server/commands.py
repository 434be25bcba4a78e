"""pointctl serve and pointctl ca …"""

import dataclasses
import ipaddress
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointctl import certificates
from pointctl.broker.options import (
    Mosquitto,
    MosquittoCa,
    MosquittoLogin,
    mosquitto_accounts,
)
from pointctl.certificates import CaFiles
from pointctl.folder import DataFolder
from pointctl.options import DATA, Data, Json, chosen_database, print_json
from pointctl.registry import keys, products
from pointctl.registry.commands import opened
from pointctl.registry.database import parsed
from pointctl.server import hook_token

if TYPE_CHECKING:
    from pointctl.server.serve import Settings

ca_app = typer.Typer(no_args_is_help=True, help="Certificates of your own.")
serve_app = typer.Typer()


@ca_app.command(
    "init",
    epilog="Example: pointctl ca init --name provision.example.com --name 192.0.2.7",
)
def ca_init(
    names: Annotated[
        list[str],
        typer.Option("--name", help="Host name or address of the server; repeatable."),
    ] = list(certificates.LOCAL_NAMES),  # noqa: B006  Typer reads it, nobody writes it
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; else ca in the data folder.")
    ] = None,
    days: Annotated[
        int,
        typer.Option(
            min=1,
            max=certificates.AUTHORITY_DAYS,
            help="How long the server certificate is valid.",
        ),
    ] = certificates.SERVER_DAYS,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the files that exist.")
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


@ca_app.command("renew", epilog="Example: pointctl ca renew --days 365")
def ca_renew(
    names: Annotated[
        list[str] | None,
        typer.Option("--name", help="Other names than now; repeatable."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to renew; else ca in the data folder."),
    ] = None,
    days: Annotated[
        int,
        typer.Option(
            min=1, max=certificates.AUTHORITY_DAYS, help="How long it is valid."
        ),
    ] = certificates.SERVER_DAYS,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Make a new server certificate by the same authority: boards notice nothing."""
    files = certificates.renew(folder or DataFolder(data).ca, names, days)
    if as_json:
        print_json({path.name: str(path) for path in (files.server, files.server_key)})
        return
    print(f"wrote {files.server.name} and {files.server_key.name} to {files.folder}")
    print("next: nothing; a server that runs takes it within seconds")


@serve_app.command(epilog="Example: pointctl serve --host 0.0.0.0 --port 8443")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 takes a free one.")
    ] = 8443,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM; else the one of pointctl ca init.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    mosquitto: Mosquitto = None,
    mosquitto_login: MosquittoLogin = None,
    mosquitto_ca: MosquittoCa = None,
    mqtt_hook_token_file: Annotated[
        Path | None,
        typer.Option(
            help="Answer an EMQX or RabbitMQ that shows this token; made if missing."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes; several need PostgreSQL.")
    ] = 1,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Serve /metrics for Prometheus on 127.0.0.1, plain; 0: a free port.",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Believe its X-Forwarded-For; an address or network; repeatable.",
        ),
    ] = None,
    data: Data = DATA,
) -> None:
    """Serve boards over HTTPS until stopped; JSON log lines on stdout."""
    # Only this command needs the web framework, and it takes half a second to load.
    from pointctl.server import metrics
    from pointctl.server.serve import Settings, listen
    from pointctl.server.serve import serve as run
    from pointctl.server.tls import Certificate
    from pointctl.server.workers import run as run_workers

    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")
    if workers > 1 and parsed(chosen_database(data)).get_backend_name() == "sqlite":
        raise typer.BadParameter(
            "SQLite is for one process; several need --database postgresql://…"
        )
    files = CaFiles(DataFolder(data).ca)
    settings = Settings(
        data=data,
        host=host,
        port=port,
        certificate=certificate or files.server,
        key=key or files.server_key,
        mosquitto=(mosquitto, mosquitto_login, mosquitto_ca),
        metrics_port=metrics_port,
        trusted_proxies=tuple(_network(name) for name in trusted_proxy or ()),
    )
    # What can fail comes before what makes something: a server that cannot start
    # leaves nothing behind.
    with mosquitto_accounts(*settings.mosquitto) as accounts:
        fixed_passwords = accounts is not None
    Certificate(settings.certificate, settings.key)
    if metrics_port:
        socket.create_server((metrics.HOST, metrics_port)).close()
    with listen(settings, share=workers > 1) as listener:
        _prepare(settings, fixed_passwords=fixed_passwords)
        token = _hook_token(mqtt_hook_token_file)
        settings = dataclasses.replace(settings, mqtt_hook_token=token)
        if workers == 1:
            run(settings, listener)
    run_workers(settings, workers)


def _network(name: str) -> str:
    try:
        return str(ipaddress.ip_network(name))
    except ValueError:
        raise typer.BadParameter(f"{name} is no address and no network") from None


def _hook_token(file: Path | None) -> str | None:
    if file is None:
        return None
    if hook_token.make_token(file):
        print(f"made {file}: give it to the broker", file=sys.stderr)
    return hook_token.read_token(file)


def _prepare(settings: "Settings", *, fixed_passwords: bool) -> None:
    """What has to be right before anything is served."""
    folder = DataFolder(settings.data)
    with opened(settings.data, make=True) as database:
        # With another master than the boards' keys come from, every one is a stranger.
        if not products.any_needs_master(database) and keys.create_master(folder):
            print(f"made {folder.claim_master}: {keys.KEEP_IT}", file=sys.stderr)
        if fixed_passwords:
            products.check_fixed_passwords(database)

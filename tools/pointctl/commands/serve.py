"""pointctl serve"""

import dataclasses
import ipaddress
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointctl.broker.accounts import open_accounts
from pointctl.certificates import CaFiles
from pointctl.commands.broker_options import (
    Mosquitto,
    MosquittoCa,
    MosquittoLogin,
    mosquitto_admin,
)
from pointctl.commands.options import DATA, Data
from pointctl.folder import DataFolder
from pointctl.registry.devices import products
from pointctl.registry.keys import claim_keys
from pointctl.registry.opening import open_registry, registry_location
from pointctl.registry.storage.database import supports_several_processes
from pointctl.server.broker_hooks import token

if TYPE_CHECKING:
    from pointctl.server.process.serve import ServeSettings

app = typer.Typer()


@app.command(epilog="Example: pointctl serve --host 0.0.0.0 --port 8443")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 takes a free one.")
    ] = 8443,
    certificate: Annotated[
        Path | None,
        typer.Option(help="PEM file; default: that of pointctl ca init."),
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    mosquitto: Mosquitto = None,
    mosquitto_login: MosquittoLogin = None,
    mosquitto_ca: MosquittoCa = None,
    mqtt_hook_token_file: Annotated[
        Path | None,
        typer.Option(
            help="Answer an EMQX or RabbitMQ that sends this token; made if missing."
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=1, max=64, help="Processes; more than one needs PostgreSQL."),
    ] = 1,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Serve /metrics over HTTP on 127.0.0.1; 0 takes a free port.",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Trust its X-Forwarded-For; an address or network; repeatable.",
        ),
    ] = None,
    data: Data = DATA,
) -> None:
    """Serve boards over HTTPS until stopped; JSON log lines on stdout."""
    # Imported here: loading the web framework takes half a second.
    from pointctl.server import metrics
    from pointctl.server.process.serve import ServeSettings
    from pointctl.server.process.serve import serve as run
    from pointctl.server.process.workers import run as run_workers
    from pointctl.web.serving import listen
    from pointctl.web.tls import Certificate

    if (certificate is None) != (key is None):
        raise typer.BadParameter("give both --certificate and --key, or neither")
    if workers > 1 and not supports_several_processes(registry_location(data)):
        raise typer.BadParameter(
            "SQLite works with one process only; for --workers give "
            "--database postgresql://…"
        )
    files = CaFiles(DataFolder(data).ca)
    settings = ServeSettings(
        data=data,
        host=host,
        port=port,
        certificate=certificate or files.server,
        key=key or files.server_key,
        mosquitto=mosquitto_admin(mosquitto, mosquitto_login, mosquitto_ca),
        metrics_port=metrics_port,
        trusted_proxies=tuple(_parse_network(name) for name in trusted_proxy or ()),
    )
    # What can fail comes before what makes something: a server that cannot start
    # leaves nothing behind.
    if mqtt_hook_token_file is not None and mqtt_hook_token_file.exists():
        token.read_token(mqtt_hook_token_file)
    with open_accounts(settings.mosquitto) as accounts:
        needs_fixed_passwords = accounts is not None
    Certificate(settings.certificate, settings.key)
    if metrics_port:
        socket.create_server((metrics.HOST, metrics_port)).close()
    with listen(host, port, share=workers > 1) as listener:
        _prepare(settings, needs_fixed_passwords=needs_fixed_passwords)
        hook_token = _read_hook_token(mqtt_hook_token_file)
        settings = dataclasses.replace(settings, mqtt_hook_token=hook_token)
        if workers == 1:
            run(settings, listener)
    run_workers(settings, workers)


def _parse_network(name: str) -> str:
    try:
        return str(ipaddress.ip_network(name))
    except ValueError:
        raise typer.BadParameter(
            f"{name!r} is neither an IP address nor a network such as 10.0.0.0/8"
        ) from None


def _read_hook_token(file: Path | None) -> str | None:
    if file is None:
        return None
    if token.make_token(file):
        print(f"made {file}: give it to the broker", file=sys.stderr)
    return token.read_token(file)


def _prepare(settings: "ServeSettings", *, needs_fixed_passwords: bool) -> None:
    """Make the claim master if needed, and check that the settings can work."""
    folder = DataFolder(settings.data)
    with open_registry(settings.data, make=True) as database:
        # If boards have keys already, they come from another master, which has to be
        # restored: with a new master, every board would be refused.
        if not products.needs_claim_master(database) and claim_keys.create_master(
            folder
        ):
            print(f"made {folder.claim_master}: {claim_keys.KEEP_IT}", file=sys.stderr)
        if needs_fixed_passwords:
            products.check_fixed_passwords(database)

"""pointctl sandbox …: a stand-in for Gizwits' clouds, and what it gives out."""

import socket
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from point.gizwits import authkey
from pointctl.clouds.gizwits.preauth import algorithms
from pointctl.clouds.gizwits.preauth.sandbox import keys, stock
from pointctl.clouds.gizwits.preauth.sandbox.models import CallKind, KeyMode, TokenRole
from pointctl.clouds.gizwits.sandbox.database import open_database
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.commands.options import (
    DATA,
    PRODUCT,
    Data,
    Json,
    parse_host_and_port,
    print_json,
    print_table,
    refuse_password,
)
from pointctl.folder import DataFolder, private_file
from pointctl.support.secret import read_secret_file

if TYPE_CHECKING:
    from pointctl.clouds.gizwits.devices.wire import MqttAddress

app = typer.Typer(no_args_is_help=True, help="Gizwits' clouds on this machine.")
products_app = typer.Typer(no_args_is_help=True, help="Products of developers.")
packages_app = typer.Typer(no_args_is_help=True, help="Keys that customers bought.")
tokens_app = typer.Typer(no_args_is_help=True, help="Authorizations of customers.")
app.add_typer(products_app, name="products")
app.add_typer(packages_app, name="packages")
app.add_typer(tokens_app, name="tokens")

_Pin = Annotated[str, typer.Option(help="The customer's id; letters and digits.")]
_Out = Annotated[Path, typer.Option(help="File to write, readable by you only.")]
_Number = Annotated[int, typer.Argument(metavar="PACKAGE", help="Its number.")]
_Certificate = Annotated[
    Path | None, typer.Option(help="PEM; else the one of pointctl ca init.")
]
_Key = Annotated[Path | None, typer.Option(help="Its private key, PEM.")]


class _CertificateFiles(NamedTuple):
    certificate: Path
    key: Path


@app.callback()
def sandbox(
    context: typer.Context,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="POINTCTL_SANDBOX_DATABASE",
            callback=refuse_password,
            help="The sandbox's own database: postgresql://USER@HOST/NAME; else "
            "gizwits-sandbox.sqlite in the data folder.",
        ),
    ] = None,
) -> None:
    """Run Gizwits' clouds on this machine, to build and test with."""
    context.obj = database


@app.command(
    epilog="Example: pointctl sandbox serve --port 8444 --chaos 1",
)
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 takes a free one.")
    ] = 8444,
    certificate: _Certificate = None,
    key: _Key = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="By which devices compute their keys; else none may."),
    ] = None,
    chaos: Annotated[
        float,
        typer.Option(
            min=0.0, max=50.0, help="1: 2 % are busy, 1 % reset, all late; 5: fivefold."
        ),
    ] = 0.0,
    chaos_seed: Annotated[
        int | None, typer.Option(help="The same bad luck every time.")
    ] = None,
    chaos_delay: Annotated[
        float, typer.Option(min=0.0, max=60.0, help="How late at most, in seconds.")
    ] = 2.0,
    mqtt: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Where devices log in; else they may not ask."
        ),
    ] = None,
    data: Data = DATA,
) -> None:
    """Serve the API over HTTPS until stopped. It needs no registry."""
    # Only this command needs the web framework, and it takes half a second to load.
    from pointctl.clouds.gizwits.sandbox.serve import SandboxBehaviour
    from pointctl.clouds.gizwits.sandbox.serve import serve as run
    from pointctl.clouds.kit.chaos import Chaos
    from pointctl.web.serving import listen
    from pointctl.web.tls import Certificate

    make_key = algorithms.find_algorithm(algorithm) if algorithm else None
    behaviour = SandboxBehaviour(
        chaos=Chaos(chaos, chaos_seed, chaos_delay) if chaos else None,
        mqtt=_mqtt_address(mqtt) if mqtt else None,
    )
    files = _certificate_files(data, certificate, key)
    loaded = Certificate(files.certificate, files.key)
    # The address first: where it cannot be had, nothing is to be made.
    with listen(host, port) as listener:
        maker = _open_maker(data, make_key)
        with _open(context, data, make=True) as database:
            run(database, maker, behaviour, listener, loaded)


@app.command(epilog="Example: pointctl sandbox broker --port 8883")
def broker(
    context: typer.Context,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="On 127.0.0.1, over TLS.")
    ] = 8883,
    certificate: _Certificate = None,
    key: _Key = None,
    operator_file: Annotated[
        Path | None,
        typer.Option(
            help="Login of an operator, who may do all; made if it is not there. Else "
            "gizwits-sandbox-operator.json in the data folder."
        ),
    ] = None,
    algorithm: Annotated[
        str, typer.Option(help="By which devices compute their keys.")
    ] = authkey.NAME,
    data: Data = DATA,
) -> None:
    """Run an MQTT broker that lets the sandbox's devices in, until stopped.

    It is for tests on this machine. Tell devices of it by sandbox serve --mqtt.
    """
    # Loaded here: only this command needs a broker.
    from pointctl.broker.embedded import EmbeddedSettings, broker_name
    from pointctl.broker.login import create_login
    from pointctl.broker.process import HOST
    from pointctl.web.tls import Certificate

    broker_name()  # says what to install, where it is missing
    make_key = algorithms.find_algorithm(algorithm)
    from pointctl.clouds.gizwits.sandbox.broker import run

    login_file = operator_file or data / "gizwits-sandbox-operator.json"
    files = _certificate_files(data, certificate, key)
    # What can fail comes before what makes something.
    Certificate(files.certificate, files.key)
    socket.create_server((HOST, port)).close()
    maker = _open_maker(data, make_key)
    create_login(login_file)
    settings = EmbeddedSettings(
        port, str(files.certificate), str(files.key), str(login_file)
    )
    with _open(context, data, make=True) as database:
        run(database, maker, settings)


def _open(
    context: typer.Context, data: Path, *, make: bool = False
) -> AbstractContextManager[SandboxDatabase]:
    """Open the sandbox's database: that of --database, else the data folder's.

    Only commands that may come first `make` one.
    """
    return open_database(DataFolder(data), context.obj, make=make)


def _open_maker(data: Path, make_key: algorithms.Algorithm | None) -> keys.KeyMaker:
    """The maker of auth_keys; the sandbox's secret is made if it is not there."""
    folder = DataFolder(data)
    if keys.create_secret(folder):
        print(f"made {keys.secret_entry(folder).path}: {keys.KEEP_IT}", file=sys.stderr)
    return keys.open_maker(folder, make_key)


def _certificate_files(
    data: Path, certificate: Path | None, key: Path | None
) -> _CertificateFiles:
    """The certificate and its key, of the options or of pointctl ca init."""
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")
    # Loaded here: it takes cryptography along, which other commands do not need.
    from pointctl.certificates import CaFiles

    files = CaFiles(DataFolder(data).ca)
    return _CertificateFiles(certificate or files.server, key or files.server_key)


def _mqtt_address(text: str) -> "MqttAddress":
    from pointctl.clouds.gizwits.devices.wire import MqttAddress

    found = parse_host_and_port(text)
    if found is None:
        raise typer.BadParameter("--mqtt is HOST:PORT")
    return MqttAddress(*found)


@products_app.command(
    "add",
    epilog='Example: pointctl sandbox products add "Tracker 4G" --key pk3f9a2c71 '
    "--secret-file product-secret",
)
def products_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="For people.")],
    key: Annotated[str, typer.Option("--key", help="Its product_key.")],
    secret_file: Annotated[
        Path | None,
        typer.Option(
            help="File with its product secret, 32 hex digits; without one its devices "
            "can neither compute keys nor use the older cloud."
        ),
    ] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Add a product, whose devices may be authorised; its secret is kept encrypted."""
    secret = read_secret_file(secret_file) if secret_file else None
    encryption = _open_maker(data, None).secret if secret else None
    with _open(context, data, make=True) as database:
        stock.add_product(database, key, name, secret, encryption)
    if as_json:
        print_json({"product_key": key, "name": name, "has_secret": secret is not None})
    else:
        print(f"added product {key}")


@products_app.command("list", epilog="Example: pointctl sandbox products list --json")
def products_list(
    context: typer.Context, data: Data = DATA, as_json: Json = False
) -> None:
    """List the products, without their secrets."""
    with _open(context, data) as database:
        rows = stock.list_products(database)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "product_key", "name", "has_secret", "created_at")


@packages_app.command(
    "add",
    epilog="Example: pointctl sandbox packages add --pin "
    "d504fbc269cc8d2ccc8822d98310e218 --product pk3f9a2c71 --capacity 1000 "
    "--out auth-code",
)
def packages_add(
    context: typer.Context,
    pin: _Pin,
    product: Annotated[str, PRODUCT],
    capacity: Annotated[int, typer.Option(min=0, help="How many keys.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File for the auth_code, readable by you only."),
    ] = None,
    auth_code_file: Annotated[
        Path | None,
        typer.Option(help="Fill up the packages of this auth_code instead."),
    ] = None,
    mode: Annotated[
        KeyMode, typer.Option(help="Who makes the keys: the cloud, or each device.")
    ] = KeyMode.CLOUD,
    kind: Annotated[
        CallKind, typer.Option(help="Which calls it is for.")
    ] = CallKind.ANY,
    days: Annotated[
        float | None, typer.Option(min=0.0, max=36500.0, help="Until it ends.")
    ] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Add a package of keys; its auth_code goes to a file and cannot be read again."""
    if (out is None) == (auth_code_file is None):
        raise typer.BadParameter(
            "name --out FILE for a new auth_code, or --auth-code-file with an old one"
        )
    auth_code = read_secret_file(auth_code_file) if auth_code_file else None
    with _open(context, data) as database:
        package, made = stock.add_package(
            database,
            pin,
            auth_code,
            product,
            capacity,
            mode=mode,
            kind=kind,
            days=days,
        )
    if out is not None:
        with private_file(out) as file:
            file.write(made + "\n")
    if as_json:
        print_json(stock.package_summary(package))
    else:
        where = f", its auth_code is in {out}" if out else ""
        print(f"added package {package.id} of {capacity} keys{where}")


@packages_app.command("list", epilog="Example: pointctl sandbox packages list --json")
def packages_list(
    context: typer.Context, data: Data = DATA, as_json: Json = False
) -> None:
    """List the packages of all customers."""
    with _open(context, data) as database:
        rows = [stock.package_summary(e) for e in stock.list_packages(database)]
    if as_json:
        print_json(rows)
        return
    columns = ("package", "pin", "product_key", "mode", "kind", "size", "capacity")
    print_table(rows, *columns, "is_enabled", "expires_at")


@packages_app.command("disable", epilog="Example: pointctl sandbox packages disable 1")
def packages_disable(
    context: typer.Context, number: _Number, data: Data = DATA
) -> None:
    """Stop a package from giving keys, even those that it gave before."""
    with _open(context, data) as database:
        stock.change_package(database, number, is_enabled=False)
    print(f"disabled package {number}")


@packages_app.command("enable", epilog="Example: pointctl sandbox packages enable 1")
def packages_enable(context: typer.Context, number: _Number, data: Data = DATA) -> None:
    """Let a package give keys again."""
    with _open(context, data) as database:
        stock.change_package(database, number, is_enabled=True)
    print(f"enabled package {number}")


@packages_app.command(
    "expire", epilog="Example: pointctl sandbox packages expire 1 --days 30"
)
def packages_expire(
    context: typer.Context,
    number: _Number,
    days: Annotated[
        float, typer.Option(min=0.0, max=36500.0, help="From now; 0 is now.")
    ] = 0.0,
    data: Data = DATA,
) -> None:
    """End a package: it still gives the keys that it gave before, but no new ones."""
    with _open(context, data) as database:
        stock.change_package(database, number, days=days)
    print(f"package {number} ends in {days:g} days")


@tokens_app.command(
    "add", epilog="Example: pointctl sandbox tokens add station-1 --out authorization"
)
def tokens_add(
    context: typer.Context,
    label: Annotated[str, typer.Argument(help="By which it can be revoked.")],
    out: _Out,
    role: Annotated[
        TokenRole, typer.Option(help="query: look only; issue: get keys, too.")
    ] = TokenRole.ISSUE,
    pin: Annotated[
        str | None, typer.Option(help="For this customer; else for all.")
    ] = None,
    data: Data = DATA,
) -> None:
    """Make an Authorization. It cannot be read again."""
    with _open(context, data, make=True) as database, private_file(out) as file:
        file.write(stock.add_token(database, label, role, pin))
        file.write("\n")
    print(f"wrote the Authorization {label} to {out}", file=sys.stderr)


@tokens_app.command("list", epilog="Example: pointctl sandbox tokens list --json")
def tokens_list(
    context: typer.Context, data: Data = DATA, as_json: Json = False
) -> None:
    """List the Authorizations."""
    with _open(context, data) as database:
        rows = [stock.token_summary(each) for each in stock.list_tokens(database)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "label", "role", "pin", "created_at", "revoked_at")


@tokens_app.command(
    "revoke", epilog="Example: pointctl sandbox tokens revoke station-1"
)
def tokens_revoke(
    context: typer.Context,
    label: Annotated[str, typer.Argument(help="Its label.")],
    data: Data = DATA,
) -> None:
    """Refuse an Authorization from now on, as of a station that was lost."""
    with _open(context, data) as database:
        stock.revoke_token(database, label)
    print(f"revoked the Authorization {label}")

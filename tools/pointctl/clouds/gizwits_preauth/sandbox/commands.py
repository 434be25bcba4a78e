"""pointctl sandbox …: the stand-in of Gizwits' cloud, and what it gives out."""

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointctl.certificates import CaFiles
from pointctl.clouds.gizwits_preauth import algorithms
from pointctl.clouds.gizwits_preauth.sandbox import stock
from pointctl.clouds.gizwits_preauth.sandbox.models import Kind, Mode, Role
from pointctl.folder import DataFolder, private_file
from pointctl.options import DATA, Data, Json, host_and_port, print_json, print_table
from pointctl.registry.commands import PRODUCT, opened
from pointctl.support.secret import read_file

if TYPE_CHECKING:
    from pointctl.clouds.gizwits_agent.cloud import Place

app = typer.Typer(
    no_args_is_help=True, help="Gizwits' device authorisation on this machine."
)
packages_app = typer.Typer(no_args_is_help=True, help="Keys that customers bought.")
tokens_app = typer.Typer(no_args_is_help=True, help="Authorizations of customers.")
app.add_typer(packages_app, name="packages")
app.add_typer(tokens_app, name="tokens")

_Pin = Annotated[str, typer.Option(help="The customer's id; letters and digits.")]
_Out = Annotated[Path, typer.Option(help="File to write, readable by you only.")]
_Number = Annotated[int, typer.Argument(metavar="PACKAGE", help="Its number.")]


@app.command(
    epilog="Example: pointctl sandbox serve --port 8444 --chaos 1",
)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 takes a free one.")
    ] = 8444,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM; else the one of pointctl ca init.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="By which devices make their keys; else none may."),
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
    """Serve the API over HTTPS until stopped, beside pointctl serve."""
    # Only this command needs the web framework, and it takes half a second to load.
    from pointctl.clouds.gizwits_preauth.sandbox.chaos import Chaos
    from pointctl.clouds.gizwits_preauth.sandbox.serve import Behaviour
    from pointctl.clouds.gizwits_preauth.sandbox.serve import serve as run
    from pointctl.server.serve import Settings

    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")
    files = CaFiles(DataFolder(data).ca)
    settings = Settings(
        data=data,
        host=host,
        port=port,
        certificate=certificate or files.server,
        key=key or files.server_key,
    )
    run(
        settings,
        Behaviour(
            algorithm=algorithms.find(algorithm) if algorithm else None,
            chaos=Chaos(chaos, chaos_seed, chaos_delay) if chaos else None,
            place=_place(mqtt) if mqtt else None,
        ),
    )


def _place(text: str) -> "Place":
    from pointctl.clouds.gizwits_agent.cloud import Place

    found = host_and_port(text)
    if found is None:
        raise typer.BadParameter("--mqtt is HOST:PORT")
    return Place(*found)


@packages_app.command(
    "add",
    epilog="Example: pointctl sandbox packages add --pin "
    "d504fbc269cc8d2ccc8822d98310e218 --product pk3f9a2c71 --capacity 1000 "
    "--out auth-code",
)
def packages_add(
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
        Mode, typer.Option(help="Who makes the keys: the cloud, or each device.")
    ] = Mode.CLOUD,
    kind: Annotated[Kind, typer.Option(help="Which calls it is for.")] = Kind.ANY,
    days: Annotated[
        float | None, typer.Option(min=0.0, max=36500.0, help="Until it ends.")
    ] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Add a package of keys; its auth_code goes to a file and cannot be read again."""
    if (out is None) == (auth_code_file is None):
        raise typer.BadParameter("a new auth_code goes to --out, one is in a file")
    auth_code = read_file(auth_code_file) if auth_code_file else None
    with opened(data, make=True) as database:
        package, made = stock.add_package(
            database,
            pin,
            auth_code,
            product,
            capacity,
            getpass.getuser(),
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
def packages_list(data: Data = DATA, as_json: Json = False) -> None:
    """List the packages of all customers."""
    with opened(data) as database:
        rows = [stock.package_summary(e) for e in stock.listed_packages(database)]
    if as_json:
        print_json(rows)
        return
    columns = ("package", "pin", "product_key", "mode", "kind", "size", "capacity")
    print_table(rows, *columns, "is_enabled", "expires_at")


@packages_app.command("disable", epilog="Example: pointctl sandbox packages disable 1")
def packages_disable(number: _Number, data: Data = DATA) -> None:
    """Have a package give no keys, not even those that it gave."""
    with opened(data) as database:
        stock.change_package(database, number, getpass.getuser(), is_enabled=False)
    print(f"disabled package {number}")


@packages_app.command("enable", epilog="Example: pointctl sandbox packages enable 1")
def packages_enable(number: _Number, data: Data = DATA) -> None:
    """Have a package give keys again."""
    with opened(data) as database:
        stock.change_package(database, number, getpass.getuser(), is_enabled=True)
    print(f"enabled package {number}")


@packages_app.command(
    "expire", epilog="Example: pointctl sandbox packages expire 1 --days 30"
)
def packages_expire(
    number: _Number,
    days: Annotated[
        float, typer.Option(min=0.0, max=36500.0, help="From now; 0 is now.")
    ] = 0.0,
    data: Data = DATA,
) -> None:
    """Have a package end: it then gives the keys that it gave, and no new ones."""
    with opened(data) as database:
        stock.change_package(database, number, getpass.getuser(), days=days)
    print(f"package {number} ends in {days:g} days")


@tokens_app.command(
    "add", epilog="Example: pointctl sandbox tokens add station-1 --out authorization"
)
def tokens_add(
    label: Annotated[str, typer.Argument(help="By which it can be revoked.")],
    out: _Out,
    role: Annotated[
        Role, typer.Option(help="query may look only, issue may have keys made.")
    ] = Role.ISSUE,
    pin: Annotated[
        str | None, typer.Option(help="For this customer; else for all.")
    ] = None,
    data: Data = DATA,
) -> None:
    """Make an Authorization. It cannot be read again."""
    with opened(data, make=True) as database, private_file(out) as file:
        file.write(stock.add_token(database, label, role, pin, getpass.getuser()))
        file.write("\n")
    print(f"wrote the Authorization {label} to {out}", file=sys.stderr)


@tokens_app.command("list", epilog="Example: pointctl sandbox tokens list --json")
def tokens_list(data: Data = DATA, as_json: Json = False) -> None:
    """List the Authorizations."""
    with opened(data) as database:
        rows = [stock.token_summary(each) for each in stock.listed_tokens(database)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "label", "role", "pin", "created_at", "revoked_at")


@tokens_app.command(
    "revoke", epilog="Example: pointctl sandbox tokens revoke station-1"
)
def tokens_revoke(
    label: Annotated[str, typer.Argument(help="Its label.")], data: Data = DATA
) -> None:
    """Let nobody in with it: for a station that was lost."""
    with opened(data) as database:
        stock.revoke_token(database, label, getpass.getuser())
    print(f"revoked the Authorization {label}")

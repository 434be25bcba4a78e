"""pointctl products … and pointctl devices …"""

import sys
from pathlib import Path
from typing import Annotated

import rich.progress
import typer

from point import aliyun
from point.mqttauth import SCHEMES
from pointctl.errors import PartlyFailed, PointctlError
from pointctl.folder import DataFolder, private_file
from pointctl.options import (
    DATA,
    Data,
    Json,
    chosen_database,
    print_json,
    print_table,
    stderr,
)
from pointctl.registry import csvfile, devices, keys, products
from pointctl.registry.database import Database, open_database
from pointctl.registry.models import Policy, State

PRODUCT = typer.Option("--product", metavar="KEY", help="The product's key.")

products_app = typer.Typer(no_args_is_help=True, help="The kinds of device.")
devices_app = typer.Typer(no_args_is_help=True, help="The boards, by IMEI.")


def opened(data: Path) -> Database:
    """The registry of a data folder, or the one that --database names."""
    return open_database(chosen_database(data), DataFolder(data))


@products_app.command(
    "add",
    epilog='Example: pointctl products add "Tracker 4G" --mqtt-host mqtt.example.com '
    "--mqtt-port 8883 --mqtt-ssl --auth plain",
)
def products_add(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    mqtt_host: Annotated[
        str | None, typer.Option(help="The broker's host; else Alibaba's own.")
    ] = None,
    policy: Annotated[
        Policy, typer.Option(help="What its boards have to prove; open is nothing.")
    ] = Policy.DEVICE_KEY,
    key: Annotated[str | None, typer.Option(help="Its key; else a new one.")] = None,
    mqtt_port: Annotated[int | None, typer.Option(help="The broker's port.")] = None,
    mqtt_ssl: Annotated[bool | None, typer.Option(help="TLS to the broker.")] = None,
    qos: Annotated[int, typer.Option(min=0, max=1, help="MQTT QoS.")] = 0,
    clean_session: Annotated[
        bool, typer.Option(help="The broker forgets a device that disconnects.")
    ] = False,
    keep_alive: Annotated[int | None, typer.Option(help="In seconds.")] = None,
    auth: Annotated[
        str | None, typer.Option(help=f"How boards log in: {', '.join(SCHEMES)}.")
    ] = None,
    sign_method: Annotated[
        str | None, typer.Option(help=f"With aliyun: {', '.join(aliyun.METHODS)}.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help=f"Alibaba's; else {aliyun.REGION}.")
    ] = None,
    instance_id: Annotated[
        str | None, typer.Option(help="Alibaba's, of an instance of your own.")
    ] = None,
    no_secret: Annotated[
        bool, typer.Option("--no-secret", help="Make no product secret.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Add a product with the MQTT settings that its boards are given."""
    if mqtt_host is None and auth not in products.ALIYUN:
        raise typer.BadParameter("name the broker with --mqtt-host")
    with opened(data) as database:
        product = products.add(
            database,
            name,
            policy=policy,
            product_key=key,
            mqtt_host=mqtt_host,
            mqtt_port=mqtt_port,
            mqtt_ssl=mqtt_ssl,
            mqtt_qos=qos,
            clean_session=clean_session,
            keep_alive=keep_alive,
            auth=auth,
            sign_method=sign_method,
            region=region,
            instance_id=instance_id,
            with_secret=not no_secret,
        )
    folder = DataFolder(data)
    if policy is Policy.DEVICE_KEY and keys.create_master(folder):
        print(f"made {folder.claim_master}: {keys.KEEP_IT}", file=sys.stderr)
    try:
        products.check_fixed_password(auth, product.product_key)
    except PointctlError as error:
        print(f"note: {error}", file=sys.stderr)
    if as_json:
        print_json(products.summary(product))
    else:
        print(f"added product {product.product_key}")


@products_app.command("list", epilog="Example: pointctl products list --json")
def products_list(data: Data = DATA, as_json: Json = False) -> None:
    """List the products."""
    with opened(data) as database:
        rows = [products.summary(product) for product in products.listed(database)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "product_key", "name", "policy", "mqtt_host", "mqtt_port")


@devices_app.command(
    "add", epilog="Example: pointctl devices add 866123456789018 --product pk3f9a2c71"
)
def devices_add(
    imei: Annotated[str, typer.Argument(help="15 digits.")],
    product: Annotated[str, PRODUCT],
    name: Annotated[
        str | None, typer.Option(help="Device name; else the IMEI.")
    ] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Register one device. One that is registered already stays as it is."""
    with opened(data) as database:
        row = devices.checked_row(1, imei, name)
        result = devices.register(database, product, [row])
        if result.bad:
            raise PointctlError(f"{imei}: {result.bad[0].reason}")
        with database.reading() as session:
            device = devices.summary(devices.find(session, imei, product))
    if as_json:
        print_json({**device, "added": bool(result.added)})
    else:
        print(f"{'added' if result.added else 'unchanged:'} device {imei}")


@devices_app.command(
    "import",
    epilog="Example: pointctl devices import boards.csv --product pk3f9a2c71",
)
def devices_import(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="CSV: imei or imei,device_name."
        ),
    ],
    product: Annotated[str, PRODUCT],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the good rows of a bad file.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Register the devices of a CSV file: all of them, or none if a row is bad."""
    with (
        opened(data) as database,
        rich.progress.open(
            file,
            "r",
            encoding=csvfile.ENCODING,
            description="importing",
            console=stderr,
            transient=True,
            disable=not stderr.is_terminal,
        ) as rows,
    ):
        result = devices.register(
            database, product, csvfile.read(rows), skip_bad=skip_bad
        )
    if as_json:
        bad = [{"line": row.line, "reason": row.reason} for row in result.bad]
        counts = {"added": result.added, "unchanged": result.unchanged}
        print_json({**counts, "bad": bad})
    else:
        for row in result.bad:
            print(f"{file}:{row.line}: {row.reason}", file=sys.stderr)
        print(f"added {result.added}, unchanged {result.unchanged}")
    if result.bad and skip_bad:
        raise PartlyFailed(f"{len(result.bad)} bad rows were skipped")
    if result.bad:
        raise PointctlError(
            f"{len(result.bad)} bad rows, so nothing was added; correct them or use "
            "--skip-bad"
        )


@devices_app.command(
    "list", epilog="Example: pointctl devices list --state issued --limit 20"
)
def devices_list(
    product: Annotated[str | None, PRODUCT] = None,
    state: Annotated[State | None, typer.Option(help="Only those.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """List devices in the order in which they were registered."""
    with opened(data) as database:
        found = devices.listed(
            database, product_key=product, state=state, limit=limit + 1
        )
    rows = [devices.summary(device) for device in found[:limit]]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "imei", "product_key", "device_name", "state", "issued_at")
    if len(found) > limit:
        print(f"these are the first {limit}; --limit shows more", file=sys.stderr)


@devices_app.command("show", epilog="Example: pointctl devices show 866123456789018")
def devices_show(
    imei: Annotated[str, typer.Argument(help="15 digits.")],
    product: Annotated[str | None, PRODUCT] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Show one device, without its secret."""
    with (
        opened(data) as database,
        database.reading() as session,
    ):
        device = devices.summary(devices.find(session, imei, product))
    if as_json:
        print_json(device)
    else:
        for name, value in device.items():
            print(f"{name.replace('_', ' '):12} {value or '-'}")


@devices_app.command(
    "export", epilog="Example: pointctl devices export --out devices.csv"
)
def devices_export(
    out: Annotated[
        Path | None, typer.Option(help="File to write, readable by you only.")
    ] = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="With device secrets; needs --out.")
    ] = False,
    data: Data = DATA,
) -> None:
    """Write every device as CSV, to stdout or a file."""
    if secrets and out is None:
        raise typer.BadParameter("secrets are not printed; name a file with --out")
    with opened(data) as database:
        if out is None:
            csvfile.write(database, sys.stdout)
            return
        with private_file(out) as file:
            count = csvfile.write(database, file, secrets=secrets)
    print(f"wrote {count} devices to {out}", file=sys.stderr)

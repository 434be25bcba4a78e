"""pointctl products …"""

import getpass
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from point.aliyun import login as aliyun
from point.mqttauth import SCHEMES
from pointctl.commands.options import DATA, Data, Json, print_json, print_table
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.devices import batches, products
from pointctl.registry.keys import claim_keys
from pointctl.registry.opening import open_registry
from pointctl.registry.storage.models import Policy, Source

app = typer.Typer(no_args_is_help=True, help="Products: the kinds of device.")


# Options of both products add and products set.
_Port = Annotated[int | None, typer.Option("--mqtt-port", help="The broker's port.")]
_Ssl = Annotated[
    bool | None, typer.Option("--mqtt-ssl/--no-mqtt-ssl", help="TLS to the broker.")
]
_KeepAlive = Annotated[int | None, typer.Option("--keep-alive", help="In seconds.")]
_Auth = Annotated[
    str | None,
    typer.Option("--auth", help=f"How boards log in: {', '.join(SCHEMES)}."),
]
_SignMethod = Annotated[
    str | None,
    typer.Option("--sign-method", help=f"With aliyun: {', '.join(aliyun.METHODS)}."),
]
_Region = Annotated[
    str | None,
    typer.Option("--region", help=f"Alibaba's region; default: {aliyun.REGION}."),
]
_Instance = Annotated[
    str | None,
    typer.Option("--instance-id", help="The id of your own instance at Alibaba."),
]


@app.command(
    "add",
    epilog='Example: pointctl products add "Tracker 4G" --mqtt-host mqtt.example.com '
    "--mqtt-port 8883 --mqtt-ssl --auth plain",
)
def products_add(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    mqtt_host: Annotated[
        str | None, typer.Option(help="The broker's host; default: Alibaba's.")
    ] = None,
    policy: Annotated[
        Policy, typer.Option(help="What its boards have to prove; open: nothing.")
    ] = Policy.DEVICE_KEY,
    key: Annotated[
        str | None, typer.Option(help="The product key; default: a new one.")
    ] = None,
    mqtt_port: _Port = None,
    mqtt_ssl: _Ssl = None,
    qos: Annotated[int, typer.Option(min=0, max=1, help="MQTT QoS.")] = 0,
    clean_session: Annotated[
        bool, typer.Option(help="The broker forgets a device that disconnects.")
    ] = False,
    keep_alive: _KeepAlive = None,
    auth: _Auth = None,
    sign_method: _SignMethod = None,
    region: _Region = None,
    instance_id: _Instance = None,
    source: Annotated[
        Source, typer.Option(help="mint: made by the server; pool: imported.")
    ] = Source.MINT,
    no_secret: Annotated[
        bool, typer.Option("--no-secret", help="Make no product secret.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Add a product with the MQTT settings that its boards receive."""
    if mqtt_host is None and auth not in products.ALIYUN:
        raise typer.BadParameter(
            "the broker's host is missing; name it with --mqtt-host"
        )
    with open_registry(data, make=True) as database:
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
            source=source,
            with_secret=not no_secret,
            who=getpass.getuser(),
        )
    _make_master(data, policy)
    try:
        products.check_fixed_password(auth, product.product_key)
    except PointctlError as error:
        print(f"note: {error}", file=sys.stderr)
    if as_json:
        print_json(products.summarize(product))
    else:
        print(f"added product {product.product_key}")


@app.command("list", epilog="Example: pointctl products list --json")
def products_list(data: Data = DATA, as_json: Json = False) -> None:
    """List the products."""
    with open_registry(data) as database:
        rows = [
            products.summarize(product) for product in products.list_products(database)
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "product_key", "name", "policy", "source", "mqtt_host")


@app.command("set", epilog="Example: pointctl products set pk3f9a2c71 --source pool")
def products_set(
    key: Annotated[str, typer.Argument(help="The product key.")],
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    policy: Annotated[
        Policy | None, typer.Option(help="What its boards have to prove.")
    ] = None,
    mqtt_host: Annotated[str | None, typer.Option(help="The broker's host.")] = None,
    mqtt_port: _Port = None,
    mqtt_ssl: _Ssl = None,
    qos: Annotated[int | None, typer.Option(min=0, max=1, help="MQTT QoS.")] = None,
    clean_session: Annotated[
        bool | None, typer.Option(help="The broker forgets a device that disconnects.")
    ] = None,
    keep_alive: _KeepAlive = None,
    auth: _Auth = None,
    sign_method: _SignMethod = None,
    region: _Region = None,
    instance_id: _Instance = None,
    source: Annotated[
        Source | None, typer.Option(help="Where new credentials come from.")
    ] = None,
    pool_warn_below: Annotated[
        int | None, typer.Option(help="Warn when fewer credentials are left.")
    ] = None,
    max_failures: Annotated[
        int | None, typer.Option(help="Failed proofs allowed a second; then 42901.")
    ] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Change the settings that boards receive with their next claim; '' removes one."""
    texts = {"auth": auth, "sign_method": sign_method, "region": region}
    texts["instance_id"] = instance_id
    given: dict[str, object] = {
        "name": name,
        "policy": policy,
        "mqtt_host": mqtt_host,
        "mqtt_port": mqtt_port,
        "mqtt_ssl": mqtt_ssl,
        "mqtt_qos": qos,
        "clean_session": clean_session,
        "keep_alive": keep_alive,
        "source": source,
        "pool_warn_below": pool_warn_below,
        "max_failures_per_s": max_failures,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    settings |= {name: text or None for name, text in texts.items() if text is not None}
    changes = cast(products.ProductSettings, settings)
    with open_registry(data) as database:
        product = products.change(database, key, getpass.getuser(), **changes)
    _make_master(data, product.policy)
    if as_json:
        print_json(products.summarize(product))
    else:
        print(f"changed product {key}")


@app.command(
    "enrolment", epilog="Example: pointctl products enrolment pk3f9a2c71 --into A7"
)
def products_enrolment(
    key: Annotated[str, typer.Argument(help="The product key.")],
    into: Annotated[
        str | None,
        typer.Option(metavar="BATCH", help="The batch for unregistered boards."),
    ] = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="Serve registered boards only.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Register unknown boards of a product on their first claim, if they can sign."""
    if (into is None) != closed:
        raise typer.BadParameter("give either --into BATCH or --closed")
    with open_registry(data) as database:
        batches.open_to_unknown(database, key, into, getpass.getuser())
    if as_json:
        print_json({"product_key": key, "open_batch": into})
    elif into:
        print(f"unknown boards of {key} go into batch {into}")
    else:
        print(f"unknown boards of {key} are refused")


def _make_master(data: Path, policy: Policy) -> None:
    folder = DataFolder(data)
    if policy is Policy.DEVICE_KEY and claim_keys.create_master(folder):
        print(f"made {folder.claim_master}: {claim_keys.KEEP_IT}", file=sys.stderr)

"""pointctl mqtt …: logging in at a broker as a device does."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from point import credentials, mqttauth
from point.aliyun import login as aliyun
from point.errors import PointError
from pointctl.commands.options import Json, print_json
from pointctl.errors import Refused
from pointctl.registry.devices.products import ALIYUN
from pointctl.support import signatures
from pointctl.support.secret import SecretFile, read_secret

if TYPE_CHECKING:
    from point.credentials import Device, Options

app = typer.Typer(no_args_is_help=True, help="Log in at a broker as a device does.")

_Product = Annotated[str, typer.Option("--product", metavar="KEY", help="productKey.")]
_Device = Annotated[
    str, typer.Option("--device", metavar="NAME", help="deviceName; Gizwits' MAC.")
]
_Auth = Annotated[
    str, typer.Option(help=f"How it logs in: {', '.join(mqttauth.SCHEMES)}.")
]
_ClientId = Annotated[
    str | None, typer.Option(help="clientId without extension; Gizwits' did.")
]
_SignMethod = Annotated[
    str | None, typer.Option(help=f"With aliyun: {', '.join(aliyun.METHODS)}.")
]
_Timestamp = Annotated[
    str | None,
    typer.Option(help=f'With aliyun, "none" signs none; else {aliyun.FIXED_TIME}.'),
]


@app.command(
    "sign",
    epilog="Example: pointctl mqtt sign --product a1B2c3D4e5F --device meter-1 "
    "--sign-method hmacsha1 --secret-file device.secret",
)
def sign(
    product: _Product,
    device: _Device,
    auth: _Auth = "aliyun",
    client_id: _ClientId = None,
    sign_method: _SignMethod = None,
    timestamp: _Timestamp = None,
    tls: Annotated[bool, typer.Option(help="With aliyun: securemode 2 or 3.")] = True,
    secret_file: SecretFile = None,
    as_json: Json = False,
) -> None:
    """Show client id, user and password of a device, and which bytes were signed."""
    connect = {"clientId": client_id, "signMethod": sign_method, "ssl": int(tls)}
    secret = read_secret(secret_file)
    login = _login(auth, product, device, secret, connect, timestamp)
    shown = login.as_dict(secret)
    if as_json:
        print_json(shown)
        return
    _print_parts(login)
    for name in ("client_id", "user", "password"):
        print(f"{name.replace('_', ' '):10} {shown[name]}")


@app.command(
    "connect",
    epilog="Example: pointctl mqtt connect --product a1B2c3D4e5F --device meter-1 "
    "--secret-file device.secret --subscribe /sys/a1B2c3D4e5F/meter-1/thing/#",
)
def connect(
    product: _Product,
    device: _Device,
    auth: _Auth = "aliyun",
    client_id: _ClientId = None,
    sign_method: _SignMethod = None,
    timestamp: _Timestamp = None,
    host: Annotated[
        str | None, typer.Option(help="The broker; else Alibaba's own.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8883,
    region: Annotated[
        str | None, typer.Option(help=f"Alibaba's; else {aliyun.REGION}.")
    ] = None,
    instance_id: Annotated[
        str | None, typer.Option(help="Alibaba's, of an instance of your own.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(exists=True, help="CA of the broker, PEM; else this system's."),
    ] = None,
    subscribe: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Then wait for one message.")
    ] = None,
    publish: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Publish one, at QoS 1.")
    ] = None,
    message: Annotated[str, typer.Option(help="What to publish.")] = "{}",
    deadline: Annotated[float, typer.Option(min=1, help="In seconds, of it all.")] = 10,
    secret_file: SecretFile = None,
    as_json: Json = False,
) -> None:
    """Connect as a device, over verified TLS, and tell what the broker says."""
    # Only this command needs an MQTT client.
    from pointctl.support.mqtt_client import Connection

    if host is None and auth not in ALIYUN:
        raise typer.BadParameter("name the broker with --host")
    secret = read_secret(secret_file)
    settings = {"clientId": client_id, "signMethod": sign_method}
    login = _login(auth, product, device, secret, settings, timestamp)
    host = host or aliyun.host(product, region, instance_id)
    connection = Connection(login, host, port, ca, deadline)
    shown = {**login.as_dict(secret), "host": host, "port": port}
    if not as_json:
        _print_parts(login)
    outcome = connection.run(subscribe, publish, message)
    if as_json:
        print_json({**shown, **asdict(outcome)})
    else:
        _print_outcome(asdict(outcome), f"{host}:{port}")
    if outcome.refusal:
        raise Refused(f"{host}:{port} refused {outcome.refusal}")


def _login(
    auth: str,
    product: str,
    device: str,
    secret: str,
    connect: Mapping[str, object],
    timestamp: str | None,
) -> signatures.Signed:
    """The login. Raises typer.BadParameter for what makes none."""
    if auth not in mqttauth.SCHEMES:
        raise typer.BadParameter(f"--auth is none of: {', '.join(mqttauth.SCHEMES)}")
    if auth != "aliyun" and (timestamp or connect["signMethod"]):
        raise typer.BadParameter("--timestamp and --sign-method are for aliyun")
    time = timestamp or aliyun.FIXED_TIME
    try:
        credentials.word("--timestamp", time)
        names: Device = {
            "productKey": credentials.word("--product", product),
            "deviceName": credentials.word("--device", device),
            "deviceSecret": credentials.text("the secret", secret),
        }
        known = {name: value for name, value in connect.items() if value is not None}
        given = cast("Options", known)
        return signatures.login(auth, names, given, None if time == "none" else time)
    except PointError as error:
        raise typer.BadParameter(error.detail) from None


def _print_parts(login: signatures.Signed) -> None:
    print(login.formula)
    if login.parts:
        print(signatures.table(login.parts))
    print()


def _print_outcome(said: dict[str, Any], where: str) -> None:
    print(f"connected   {where}, TLS verified")
    print(f"CONNACK     {said['connack']}: {said['meaning']}")
    words = {True: "granted", False: "refused"}
    if said["subscribed"] is not None:
        print(f"subscribe   {words[said['subscribed']]}")
    if said["published"]:
        print("publish     acknowledged; MQTT 3.1.1 does not say if it was allowed")
    if said["subscribed"]:
        print(f"received    {said['received'] or 'nothing in time'}")

"""pointctl mqtt …: logging in at a broker as a device does."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from point import credentials, mqttauth
from point.aliyun import login as aliyun
from point.errors import PointError
from pointctl.commands.options import Json, print_json
from pointctl.errors import Refused
from pointctl.support import signatures
from pointctl.support.secret import SecretFile, read_secret

if TYPE_CHECKING:
    from point.credentials import Device, Options
    from pointctl.support.mqtt_client import BrokerAnswers

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
    print(f"client id  {shown['client_id']}")
    print(f"user       {shown['user']}")
    print(f"password   {shown['password']}")


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
    """Connect as a device, over verified TLS, and show what the broker answers."""
    # Only this command needs an MQTT client, and the module that loads the database.
    from pointctl.registry.devices.products import ALIYUN
    from pointctl.support.mqtt_client import DeviceConnection

    if host is None and auth not in ALIYUN:
        raise typer.BadParameter("name the broker with --host")
    secret = read_secret(secret_file)
    settings = {"clientId": client_id, "signMethod": sign_method}
    login = _login(auth, product, device, secret, settings, timestamp)
    host = host or aliyun.host(product, region, instance_id)
    connection = DeviceConnection(login, host, port, ca, deadline)
    shown = {**login.as_dict(secret), "host": host, "port": port}
    if not as_json:
        _print_parts(login)
    answers = connection.run(subscribe, publish, message)
    if as_json:
        print_json({**shown, **asdict(answers)})
    else:
        _print_answers(answers, f"{host}:{port}")
    if answers.refusal:
        raise Refused(f"{host}:{port} refused {answers.refusal}")


def _login(
    auth: str,
    product: str,
    device: str,
    secret: str,
    connect: Mapping[str, object],
    timestamp: str | None,
) -> signatures.SignedLogin:
    """The login. Raises typer.BadParameter for wrong options."""
    if auth not in mqttauth.SCHEMES:
        raise typer.BadParameter(f"--auth is not one of: {', '.join(mqttauth.SCHEMES)}")
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
        return signatures.sign_login(
            auth, names, given, None if time == "none" else time
        )
    except PointError as error:
        raise typer.BadParameter(error.detail) from None


def _print_parts(login: signatures.SignedLogin) -> None:
    print(login.formula)
    if login.parts:
        print(signatures.format_table(login.parts))
    print()


def _print_answers(answers: "BrokerAnswers", where: str) -> None:
    print(f"connected   {where}, TLS verified")
    print(f"CONNACK     {answers.connack}: {answers.meaning}")
    if answers.subscribed is not None:
        print(f"subscribe   {'granted' if answers.subscribed else 'refused'}")
    if answers.published:
        print("publish     acknowledged; MQTT 3.1.1 does not say if it was allowed")
    if answers.subscribed:
        print(f"received    {answers.received or 'nothing in time'}")

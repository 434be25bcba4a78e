"""pointctl cipher …: Living Link's provisioning keys."""

from typing import Annotated

import typer

from point.errors import PointError
from pointctl.commands.options import Json, print_json
from pointctl.support import signatures
from pointctl.support.secret import SecretFile, read_secret

app = typer.Typer(no_args_is_help=True, help="Alibaba Living Link's provisioning keys.")


@app.callback()
def cipher() -> None:
    """Alibaba Living Link's provisioning keys."""


@app.command(
    "derive",
    epilog="Example: pointctl cipher derive --type 3 "
    "--random 98c17ed9e3a240d0990f28fdf79778b2 --secret-file product.secret",
)
def derive(
    random: Annotated[
        str, typer.Option(metavar="HEX", help="32 hex digits, which are 16 bytes.")
    ],
    cipher_type: Annotated[
        int,
        typer.Option(
            "--type", help="3, 6: under a productSecret; 4, 7: under a deviceSecret."
        ),
    ] = 3,
    mac: Annotated[
        str | None, typer.Option(help="Of the device, for types 6 and 7.")
    ] = None,
    secret_file: SecretFile = None,
    as_json: Json = False,
) -> None:
    """Derive a provisioning key, and show which bytes are hashed."""
    secret = read_secret(secret_file)
    try:
        parts, key = signatures.provisioning_key(cipher_type, secret, random, mac)
    except PointError as error:
        raise typer.BadParameter(error.detail) from None
    if as_json:
        rows = [part.as_dict() for part in parts]
        found = {"provisioning_key": key.hex(), "channel_key": key[:16].hex()}
        print_json({"formula": "SHA-256(parts)", "parts": rows, **found})
        return
    print(signatures.format_table(parts))
    print()
    print(f"SHA-256 of these {sum(part.size for part in parts)} bytes, in this order:")
    print(f"  provisioning key  {key.hex()}")
    print(f"  AES-128 key       {key[:16].hex()}  its first half, used on the air")

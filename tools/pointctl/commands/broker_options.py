"""The options for a mosquitto that runs elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from pointctl.broker.accounts import MosquittoAdmin
from pointctl.commands.options import parse_host_and_port

Mosquitto = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="The mosquitto that the devices use."),
]
MosquittoLogin = Annotated[
    Path | None, typer.Option(help="File with the login of the broker's administrator.")
]
MosquittoCa = Annotated[Path | None, typer.Option(help="CA of the broker, PEM.")]


def mosquitto_admin(
    address: str | None, login: Path | None, ca: Path | None
) -> MosquittoAdmin | None:
    """Return the broker that the three options name; None if none is given.

    Raises typer.BadParameter if only some are given.
    """
    if address is None and login is None and ca is None:
        return None
    found = parse_host_and_port(address or "")
    if found is None or login is None or ca is None:
        raise typer.BadParameter(
            "give all of --mosquitto HOST:PORT, --mosquitto-login and --mosquitto-ca, "
            "or none"
        )
    return MosquittoAdmin(*found, ca=ca, login=login)

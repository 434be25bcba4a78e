"""The options by which a command is told of a mosquitto that runs elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from pointctl.broker.accounts import MosquittoAdmin
from pointctl.commands.options import host_and_port

Mosquitto = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="The broker that issued devices use."),
]
MosquittoLogin = Annotated[
    Path | None, typer.Option(help="File with the broker's administrator.")
]
MosquittoCa = Annotated[Path | None, typer.Option(help="CA of the broker, PEM.")]


def mosquitto_admin(
    address: str | None, login: Path | None, ca: Path | None
) -> MosquittoAdmin | None:
    """The broker that the three options name; None without any of them.

    Raises typer.BadParameter for an incomplete set.
    """
    if address is None and login is None and ca is None:
        return None
    found = host_and_port(address or "")
    if found is None or login is None or ca is None:
        raise typer.BadParameter(
            "--mosquitto HOST:PORT, --mosquitto-login and --mosquitto-ca go together"
        )
    return MosquittoAdmin(*found, ca=ca, login=login)

"""The options by which a command is told of a mosquitto that runs elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pointctl.options import host_and_port
from pointctl.registry.issuing.issuer import BrokerAccounts

Mosquitto = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="The broker that issued devices use."),
]
MosquittoLogin = Annotated[
    Path | None, typer.Option(help="File with the broker's administrator.")
]
MosquittoCa = Annotated[Path | None, typer.Option(help="CA of the broker, PEM.")]


@contextmanager
def mosquitto_accounts(
    address: str | None, login: Path | None, ca: Path | None
) -> Iterator[BrokerAccounts | None]:
    """A connection to the broker for as long as the block runs; None without options.

    Raises typer.BadParameter for an incomplete set.
    """
    if address is None and login is None and ca is None:
        yield None
        return
    broker = host_and_port(address or "")
    if broker is None or login is None or ca is None:
        raise typer.BadParameter(
            "--mosquitto HOST:PORT, --mosquitto-login and --mosquitto-ca go together"
        )
    # Only who uses it loads the MQTT client.
    from pointctl.broker.mosquitto import MosquittoAccounts

    accounts = MosquittoAccounts(*broker, ca, login)
    try:
        yield accounts
    finally:
        accounts.close()

"""Opening the accounts of a mosquitto that somebody else has started."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pointctl.registry.broker_accounts import BrokerAccounts


@dataclass(frozen=True)
class MosquittoAdmin:
    """The address of a mosquitto, its CA (PEM), and the file of its administrator."""

    host: str
    port: int
    ca: Path
    login: Path


@contextmanager
def open_accounts(admin: MosquittoAdmin | None) -> Iterator[BrokerAccounts | None]:
    """A connection to the broker for as long as the block runs; None without one.

    Raises BrokerError for a broker that cannot be reached or refuses the login.
    """
    if admin is None:
        yield None
        return
    # Loaded here: without a mosquitto nothing needs the MQTT client.
    from pointctl.broker.mosquitto import MosquittoAccounts

    accounts = MosquittoAccounts(admin.host, admin.port, admin.ca, admin.login)
    try:
        yield accounts
    finally:
        accounts.close()

"""The interface to a broker that keeps its own accounts, such as mosquitto."""

from typing import Protocol


class BrokerAccounts(Protocol):
    """A broker that needs an account for each device before the device connects."""

    def allow(
        self, product_key: str, device_name: str, password: str, auth: str | None = None
    ) -> None:
        """Let this device connect and use the topics of its scheme.

        A second call changes nothing; a new password replaces the old one. Raises if
        the broker did not confirm it. Returns or raises within seconds: a board waits.
        """

    def refuse(self, product_key: str, device_name: str) -> None:
        """Disconnect this device and let it connect no more.

        The broker need not know the device. Raises if the broker did not confirm it.
        """

"""What the registry asks of a broker that keeps accounts of its own."""

from typing import Protocol


class BrokerAccounts(Protocol):
    """A broker that has to be told of each device before it may connect."""

    def allow(
        self, product_key: str, device_name: str, password: str, auth: str | None = None
    ) -> None:
        """Let this device in, to the topics of its scheme; again changes nothing.

        A new password takes the place of the old one. Raises if that is not certain.
        Returns or raises within seconds: a board waits.
        """

    def refuse(self, product_key: str, device_name: str) -> None:
        """End this device's connection and let it in no more; known to it or not.

        Raises if that is not certain.
        """

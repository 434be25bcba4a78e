"""Giving a board its credential: the same one for every request, made once."""

import hmac
import secrets
import threading
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import joinedload

from pointctl.registry import devices, products
from pointctl.registry.database import Database
from pointctl.registry.models import Credential, Device, State

# Every board's first boot runs these three, one after the other: built once and run
# below the ORM they take a third of the time. The device's row is locked by name for
# databases that let several write at once.
_LOCK_AND_READ = (
    select(Credential.device_secret)
    .join_from(Device, Credential, isouter=True)
    .where(Device.id == bindparam("id_"))
    .with_for_update(of=Device)
)
_ADD_CREDENTIAL = insert(Credential)
_SET_ISSUED = (
    update(Device).where(Device.id == bindparam("id_")).values(state=State.ISSUED)
)


class BrokerAccounts(Protocol):
    """A broker that has to be told of each device before it may connect."""

    def allow(self, product_key: str, device_name: str, device_secret: str) -> None:
        """Let this device in; once more for the same device changes nothing.

        Raises if that is not certain. Returns or raises within seconds: a board waits.
        """


class Issuer:
    """Issues credentials from one registry. Threads may share it."""

    def __init__(
        self, database: Database, broker_accounts: BrokerAccounts | None = None
    ) -> None:
        self._database = database
        self._broker_accounts = broker_accounts
        self._one_announcer = threading.Lock()  # a broker's client may know no threads

    def issue(self, imei: str, product_key: str | None = None) -> products.DeviceConfig:
        """The device_config for a board; its secret is made when it is first asked for.

        The credential is on disk, and the broker knows it, before this returns. Raises
        devices.UnknownDevice, DatabaseError, or what the broker raised: then the next
        request gets the same credential and tells the broker again.
        """
        with self._database.reading() as session:
            device = devices.find(session, imei, product_key)
        secret = (
            device.credential.device_secret
            if device.credential
            else self._mint(device.id)
        )
        if self._broker_accounts is not None and device.announced_at is None:
            self._announce(self._broker_accounts, device, secret)
        return products.device_config(device.product, device.device_name, secret)

    def _mint(self, device_id: int) -> str:
        """The device's secret, made now unless another request was faster."""
        with self._database.writing() as session:
            connection = session.connection()
            secret = connection.scalar(_LOCK_AND_READ, {"id_": device_id})
            if secret is None:
                secret = secrets.token_hex(16)
                now = datetime.now(UTC)
                connection.execute(
                    _ADD_CREDENTIAL,
                    {
                        "device_id": device_id,
                        "device_secret": secret,
                        "created_at": now,
                    },
                )
                connection.execute(_SET_ISSUED, {"id_": device_id, "issued_at": now})
        return secret

    def _announce(
        self, broker_accounts: BrokerAccounts, device: Device, secret: str
    ) -> None:
        with self._one_announcer:
            with self._database.reading() as session:
                announced_at = session.scalar(
                    select(Device.announced_at).where(Device.id == device.id)
                )
            if announced_at is not None:
                return  # another request did it while this one waited
            broker_accounts.allow(device.product_key, device.device_name, secret)
            with self._database.writing() as session:
                session.execute(
                    update(Device)
                    .where(Device.id == device.id)
                    .values(announced_at=datetime.now(UTC))
                )


def verify_mqtt(database: Database, username: str, password: str) -> Device | None:
    """The device that logs in as {deviceName}&{productKey} with its deviceSecret.

    None if there is none, or it was never given a credential, or the password is wrong.
    """
    device_name, _, product_key = username.partition("&")
    with database.reading() as session:
        device = session.scalar(
            select(Device)
            .where(Device.device_name == device_name, Device.product_key == product_key)
            .options(joinedload(Device.credential))
        )
    # An unknown name takes the same comparison as a known one.
    credential = device.credential if device else None
    expected = credential.device_secret if credential else secrets.token_hex(16)
    same = hmac.compare_digest(expected.encode(), password.encode())
    return device if same and credential else None

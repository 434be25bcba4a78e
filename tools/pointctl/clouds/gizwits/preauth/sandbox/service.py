"""What the sandbox answers: who may ask, which package pays, which key it is.

Each rule that the document leaves open is defined here, and docs/gizwits.md lists them.
One transaction that is alone decides everything, so a quota is exact, and processes
that serve one database agree.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from pointctl.clouds.gizwits.preauth import errors, wire
from pointctl.clouds.gizwits.preauth.lists import ListEntry
from pointctl.clouds.gizwits.preauth.names import normalize_mac
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker, hash_key
from pointctl.clouds.gizwits.preauth.sandbox.models import (
    CallKind,
    KeyMode,
    SandboxBatch,
    SandboxBatchRow,
    SandboxDevice,
    SandboxPackage,
    SandboxProduct,
    SandboxToken,
    TokenRole,
)
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.clouds.kit.sandbox_secret import SandboxSecretError, hash_token
from pointctl.registry.storage.models import table

_log = structlog.get_logger()

CHUNK = 500  # of the names in one query


def format_moment(at: datetime) -> str:
    """A moment as the document has it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def authorize(
    session: Session, authorization: str | None, role: TokenRole, pin: str | None
) -> None:
    """Raise AuthFailed or RolesInvalid unless this may be done for this pin."""
    known = select(SandboxToken).where(
        SandboxToken.token_hash == hash_token(authorization or ""),
        SandboxToken.revoked_at.is_(None),
    )
    token = session.scalar(known)
    if token is None:
        raise errors.AuthFailed
    if role == TokenRole.ISSUE and token.role != TokenRole.ISSUE:
        raise errors.RolesInvalid("it may only look at packages and batches")
    if pin is not None and token.pin not in (None, pin):
        raise errors.RolesInvalid("it is for another pin")


def find_packages(
    session: Session, pin: str, auth_code: str
) -> Sequence[SandboxPackage]:
    """The packages of an auth_code, the oldest first.

    Raises PackageNotFound, InvalidAuthCode.
    """
    query = select(SandboxPackage).where(SandboxPackage.pin == pin)
    of_code = query.where(SandboxPackage.auth_code_hash == hash_token(auth_code))
    found = session.scalars(of_code.order_by(SandboxPackage.id)).all()
    if not found:
        if session.scalar(query.limit(1)) is None:
            raise errors.PackageNotFound
        raise errors.InvalidAuthCode
    return found


@dataclass(frozen=True)
class PackageStock:
    """The packages of one auth_code, which are of one product and one mode."""

    packages: Sequence[SandboxPackage]

    @property
    def product_key(self) -> str:
        """The product whose devices they are for."""
        return self.packages[0].product_key

    @property
    def mode(self) -> str:
        """Who makes their keys."""
        return self.packages[0].mode

    def usable_for(self, kind: CallKind) -> "PackageStock":
        """The packages for a kind of call. Raises PackageTypeInvalid if none is."""
        usable = [each for each in self.packages if each.kind in (CallKind.ANY, kind)]
        if not usable:
            raise errors.PackageTypeInvalid(f"this is a {kind} call")
        return PackageStock(usable)

    def find_payer(self, now: datetime) -> SandboxPackage:
        """The oldest package that has a key left.

        Raises AuthCodeDisabled, PackageExpired, PackageCapacityNotEnough.
        """
        enabled = [each for each in self.packages if each.is_enabled]
        if not enabled:
            raise errors.AuthCodeDisabled
        valid = [e for e in enabled if e.expires_at is None or e.expires_at > now]
        if not valid:
            raise errors.PackageExpired
        for each in valid:
            if each.size < each.capacity:
                return each
        raise errors.PackageCapacityNotEnough

    def count_left(self, now: datetime) -> int:
        """How many keys are left.

        Raises as find_payer(), but returns 0 for a stock that is used up.
        """
        try:
            self.find_payer(now)
        except errors.PackageCapacityNotEnough:
            return 0
        return sum(
            each.capacity - each.size
            for each in self.packages
            if each.is_enabled and (each.expires_at is None or each.expires_at > now)
        )


class PreauthService:
    """The API's calls on one database. Threads may share it."""

    def __init__(self, database: SandboxDatabase, maker: KeyMaker) -> None:
        self._database = database
        self._maker = maker

    def check_may_issue(self, authorization: str | None, pin: str) -> None:
        """Raise AuthFailed or RolesInvalid, before more is read of a request."""
        with self._database.snapshot() as session:
            authorize(session, authorization, TokenRole.ISSUE, pin)

    def issue_key(
        self, authorization: str | None, asked: wire.KeyRequest
    ) -> wire.AuthKey:
        """The key of a device; a new device takes one of the stock.

        Raises one of the sixteen.
        """
        mac, now = normalize_mac(asked.mac), datetime.now(UTC)
        with self._database.exclusive() as session:
            authorize(session, authorization, TokenRole.ISSUE, asked.pin)
            stock = PackageStock(find_packages(session, asked.pin, asked.auth_code))
            stock = stock.usable_for(CallKind.SINGLE)
            _check_not_in_batch(session, stock.product_key, mac)
            issuing = KeyIssuing(session, self._maker, stock)
            if asked.auth_key is not None:
                issuing.compare(mac, asked.auth_key)
            auth_key, created_at = issuing.issue(mac, issuing.find_known([mac]), now)
        return wire.AuthKey(
            auth_key=auth_key,
            created_at=format_moment(created_at),
            pin=asked.pin,
            mac=asked.mac,
        )

    def list_packages(
        self, authorization: str | None, pin: str, auth_code: str, skip: int, limit: int
    ) -> wire.Packages:
        """A page of the packages of an auth_code.

        An Authorization may be missing, the document names none here; a wrong one may
        not. Raises one of the sixteen.
        """
        with self._database.snapshot() as session:
            if authorization is not None:
                authorize(session, authorization, TokenRole.QUERY, pin)
            found = find_packages(session, pin, auth_code)
        return wire.Packages(
            meta=wire.Meta(total=len(found), limit=limit, skip=skip),
            objects=[
                wire.Package(
                    created_at=format_moment(each.created_at),
                    updated_at=format_moment(each.updated_at),
                    pin=pin,
                    capacity=each.capacity,
                    size=each.size,
                    auth_code=auth_code,
                    is_enabled=each.is_enabled,
                )
                for each in found[skip : skip + limit]
            ],
        )

    def take_batch(
        self,
        authorization: str | None,
        pin: str,
        auth_code: str,
        devices: Sequence[ListEntry],
    ) -> str:
        """Store a list, to be worked on later (batches.py), and return its id.

        A list with more new devices than there are keys is refused as a whole. Raises
        one of the sixteen.
        """
        now, batch = datetime.now(UTC), secrets.token_hex(16)
        with self._database.exclusive() as session:
            authorize(session, authorization, TokenRole.ISSUE, pin)
            stock = PackageStock(find_packages(session, pin, auth_code)).usable_for(
                CallKind.BATCH
            )
            issuing = KeyIssuing(session, self._maker, stock)
            issuing.check_mode()
            wanted = {each.bare for each in devices}
            new = len(wanted) - len(issuing.find_known(sorted(wanted)))
            if new > stock.count_left(now):
                raise errors.PackageCapacityNotEnough(f"{new} keys are wanted")
            session.add(
                SandboxBatch(
                    id=batch,
                    pin=pin,
                    auth_code_hash=hash_token(auth_code),
                    product_key=stock.product_key,
                    failed=0,
                    success=0,
                    created_at=now,
                )
            )
            session.flush()
            rows = [
                {"batch_id": batch, "number": n, "mac": each.mac, "bare": each.bare}
                for n, each in enumerate(devices)
            ]
            session.connection().execute(insert(table(SandboxBatchRow)), rows)
        return batch


class KeyIssuing:
    """Giving keys to devices, in one transaction and from one stock."""

    def __init__(self, session: Session, maker: KeyMaker, stock: PackageStock) -> None:
        self._session = session
        self._maker = maker
        self._stock = stock
        self._product = session.get_one(SandboxProduct, stock.product_key)
        self._all: dict[int, SandboxPackage] = {e.id: e for e in stock.packages}

    def find_known(self, macs: Sequence[str]) -> dict[str, SandboxDevice]:
        """Those of these devices that have a key, by their MAC."""
        found: dict[str, SandboxDevice] = {}
        for start in range(0, len(macs), CHUNK):
            query = select(SandboxDevice).where(
                SandboxDevice.product_key == self._stock.product_key,
                SandboxDevice.mac.in_(macs[start : start + CHUNK]),
            )
            found |= {each.mac: each for each in self._session.scalars(query)}
        return found

    def issue(
        self, mac: str, known: dict[str, SandboxDevice], now: datetime
    ) -> tuple[str, datetime]:
        """The device's key, and since when it has it; a new device joins `known`.

        Raises one of the sixteen.
        """
        if mac in known:
            self._check_paid_here(known[mac])
            return self.reissue(known[mac])
        key = self.make(mac)
        payer = self._stock.find_payer(now)
        payer.size += 1
        payer.updated_at = now
        known[mac] = SandboxDevice(
            product_key=self._stock.product_key,
            mac=mac,
            package_id=payer.id,
            key_check=hash_key(key),
            created_at=now,
        )
        self._session.add(known[mac])
        return key, now

    def reissue(self, device: SandboxDevice) -> tuple[str, datetime]:
        """The key that a device has, and since when.

        Raises DecyptAuthKeyError where it would be another one now.
        """
        key = self.make(device.mac)
        if device.key_check != hash_key(key):
            raise errors.DecyptAuthKeyError
        return key, device.created_at

    def make(self, mac: str) -> str:
        """The key itself. Raises ModeInvalid, DecyptAuthKeyError."""
        try:
            return self._maker.make(self._stock.mode, self._product, mac)
        except SandboxSecretError as error:
            _log.error("the product's secret cannot be read", exc_info=error)
            raise errors.DecyptAuthKeyError from None

    def compare(self, mac: str, computed: str) -> None:
        """Raise unless this is the key that the device has to compute."""
        if self._stock.mode != KeyMode.DEVICE:
            raise errors.ModeInvalid("the keys of this package are the cloud's")
        if not secrets.compare_digest(
            computed.lower().encode(), self.make(mac).encode()
        ):
            raise errors.InvalidAuthKey

    def check_mode(self) -> None:
        """Raise ModeInvalid where nobody can make keys."""
        self.make("0" * 12)

    def _check_paid_here(self, device: SandboxDevice) -> None:
        """Raise GagentExist for a device of another auth_code, or AuthCodeDisabled."""
        payer = self._all.get(device.package_id)
        if payer is None:
            payer = self._session.get_one(SandboxPackage, device.package_id)
            self._all[payer.id] = payer
        first = self._stock.packages[0]
        if (payer.pin, payer.auth_code_hash) != (first.pin, first.auth_code_hash):
            raise errors.GagentExist
        if not payer.is_enabled:
            raise errors.AuthCodeDisabled


def _check_not_in_batch(session: Session, product_key: str, mac: str) -> None:
    """Raise GetAuthKeyInProgress for a device that a batch has yet to come to."""
    waiting = (
        select(func.count())
        .select_from(SandboxBatchRow)
        .join(SandboxBatch, SandboxBatch.id == SandboxBatchRow.batch_id)
        .where(SandboxBatchRow.bare == mac, SandboxBatchRow.outcome.is_(None))
        .where(SandboxBatch.product_key == product_key)
    )
    if session.scalar(waiting):
        raise errors.GetAuthKeyInProgress


def distinct_macs(rows: Iterable[SandboxBatchRow]) -> list[str]:
    """The devices of some rows, each once."""
    return sorted({row.bare for row in rows})

"""The tables of device authorisation, and the base of all of Gizwits' tables.

They hold no auth_key, no auth_code and no token: auth_keys are made anew each time from
the sandbox's secret (keys.py), the others are stored as hashes. The secret of a product
is stored encrypted.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pointctl.clouds.kit.database import SandboxTable, new_metadata
from pointctl.registry.storage.models import bytewise


class TokenRole(StrEnum):
    """What an Authorization may do."""

    QUERY = "query"  # look at packages and batches
    ISSUE = "issue"  # that, and have keys made


class KeyMode(StrEnum):
    """Who makes the keys of a package."""

    CLOUD = "cloud"  # the cloud, at random
    DEVICE = "device"  # each device, by an algorithm that the cloud has, too


class CallKind(StrEnum):
    """Which calls a package is for."""

    ANY = "any"
    SINGLE = "single"
    BATCH = "batch"


class GizwitsTable(SandboxTable):
    """The base of every table of Gizwits' sandbox; both systems share one database."""

    __abstract__ = True
    metadata = new_metadata()


class SandboxProduct(GizwitsTable):
    """A product, as its developer has it from the cloud's console."""

    __tablename__ = "gizwits_products"

    product_key: Mapped[str] = mapped_column(bytewise(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    encrypted_secret: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime]


class SandboxToken(GizwitsTable):
    """An Authorization."""

    __tablename__ = "gizwits_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(32), unique=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    pin: Mapped[str | None] = mapped_column(String(32))  # None: every customer's
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class SandboxPackage(GizwitsTable):
    """Keys that were bought. Several may have one auth_code: a stock filled up."""

    __tablename__ = "gizwits_packages"
    __table_args__ = (
        Index("ix_gizwits_packages_pin_auth_code_hash", "pin", "auth_code_hash"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pin: Mapped[str] = mapped_column(String(32))
    auth_code_hash: Mapped[str] = mapped_column(String(64))
    product_key: Mapped[str] = mapped_column(ForeignKey("gizwits_products.product_key"))
    mode: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    capacity: Mapped[int]
    size: Mapped[int] = mapped_column(default=0)  # keys that are used
    is_enabled: Mapped[bool] = mapped_column(default=True)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SandboxDevice(GizwitsTable):
    """A device that has a key, and so counts in its package."""

    __tablename__ = "gizwits_devices"
    __table_args__ = (UniqueConstraint("product_key", "mac"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_key: Mapped[str] = mapped_column(ForeignKey("gizwits_products.product_key"))
    mac: Mapped[str] = mapped_column(bytewise(15))
    package_id: Mapped[int] = mapped_column(
        ForeignKey("gizwits_packages.id"), index=True
    )
    # A part of the key's hash: another key in its place is noticed.
    key_check: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]


class SandboxBatch(GizwitsTable):
    """A list that was sent, and how far it has come."""

    __tablename__ = "gizwits_batches"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    pin: Mapped[str] = mapped_column(String(32))
    auth_code_hash: Mapped[str] = mapped_column(String(64))
    product_key: Mapped[str] = mapped_column(ForeignKey("gizwits_products.product_key"))
    failed: Mapped[int] = mapped_column(default=0)
    success: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]


class SandboxBatchRow(GizwitsTable):
    """A device of a list."""

    __tablename__ = "gizwits_batch_rows"
    __table_args__ = (
        # A device that is asked for alone may be waiting in a batch.
        Index("ix_gizwits_batch_rows_bare_outcome", "bare", "outcome"),
    )

    batch_id: Mapped[str] = mapped_column(
        ForeignKey("gizwits_batches.id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mac: Mapped[str] = mapped_column(String(32))  # as it was sent
    bare: Mapped[str] = mapped_column(bytewise(15))
    outcome: Mapped[int | None]  # None: to come; 0: has a key; else the error's code

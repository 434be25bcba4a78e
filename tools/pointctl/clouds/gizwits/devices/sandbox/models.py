"""The table of devices that have asked where to log in."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pointctl.clouds.gizwits.preauth.sandbox.models import GizwitsTable
from pointctl.registry.storage.models import bytewise


class Generation(StrEnum):
    """Which of the two clouds a device has come to."""

    AGENT = "agent"  # by an auth_key
    CLASSIC = "classic"  # by a passcode


class KnownDevice(GizwitsTable):
    """A device that has asked where to log in. It keeps its did for ever."""

    __tablename__ = "gizwits_dids"
    __table_args__ = (UniqueConstraint("product_key", "mac", "generation"),)

    did: Mapped[str] = mapped_column(bytewise(22), primary_key=True)
    product_key: Mapped[str] = mapped_column(ForeignKey("gizwits_products.product_key"))
    mac: Mapped[str] = mapped_column(bytewise(32))
    generation: Mapped[str] = mapped_column(String(8))
    passcode_hash: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    registered_at: Mapped[datetime]  # the last time

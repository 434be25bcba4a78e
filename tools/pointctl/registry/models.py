"""The tables. A change here needs a step in migrations/versions, or a test fails."""

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class State(StrEnum):
    """How far a device has come."""

    REGISTERED = "registered"
    ISSUED = "issued"


class _Utc(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Constraints have names, so that a later migration can change them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own declaration
        datetime: _Utc(),
        State: Enum(
            State,
            native_enum=False,
            length=16,
            values_callable=lambda states: [state.value for state in states],
        ),
    }


class Product(Base):
    """A kind of device, and the MQTT settings that its devices are given."""

    __tablename__ = "products"

    product_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    product_secret: Mapped[str | None] = mapped_column(String(256))
    mqtt_host: Mapped[str] = mapped_column(String(253))
    mqtt_port: Mapped[int | None]
    mqtt_ssl: Mapped[bool | None]
    mqtt_qos: Mapped[int]
    clean_session: Mapped[bool]
    keep_alive: Mapped[int | None]
    auth: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class Device(Base):
    """One board of a product, known by its IMEI."""

    __tablename__ = "devices"
    __table_args__ = (
        UniqueConstraint("imei", "product_key"),  # IMEI first: boards are found by it
        UniqueConstraint("product_key", "device_name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_key: Mapped[str] = mapped_column(ForeignKey("products.product_key"))
    imei: Mapped[str] = mapped_column(String(15))
    device_name: Mapped[str] = mapped_column(String(64))
    state: Mapped[State]
    created_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]  # when the broker was told of it

    # lazy="raise": a secret is read where a query names it, never by accident.
    product: Mapped[Product] = relationship(lazy="raise")
    credential: Mapped["Credential | None"] = relationship(lazy="raise")


class Credential(Base):
    """The secret of one device."""

    __tablename__ = "credentials"

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"), unique=True)
    device_secret: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime]

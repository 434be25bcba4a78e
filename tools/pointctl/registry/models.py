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


class Policy(StrEnum):
    """What the boards of a product have to prove before they are given anything."""

    OPEN = "open"  # nothing: the seed's exchange, whoever knows an IMEI is served
    PRODUCT_SECRET = "product-secret"  # that they know the one secret of the product
    DEVICE_KEY = "device-key"  # that they hold a key of their own


class State(StrEnum):
    """How far a device has come."""

    REGISTERED = "registered"
    ISSUED = "issued"
    CONFIRMED = "confirmed"  # has connected to the broker
    REVOKED = "revoked"
    QUARANTINED = "quarantined"  # an operator has to look at it


class ClaimState(StrEnum):
    """Whether a request id is still answered, or by what it was spent."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"  # the device has connected to the broker
    SUPERSEDED = "superseded"  # by another id, or by an operator


class Role(StrEnum):
    """What an operator may do; each may do what those before it may."""

    VIEWER = "viewer"  # look at everything but secrets
    OPERATOR = "operator"  # change devices and batches
    ADMIN = "admin"  # products, operators, keys, revealing a secret

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


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


def _words(words: type[StrEnum]) -> Enum:
    """A column of an enumeration's values, as text."""
    return Enum(
        words,
        native_enum=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """Constraints have names, so that a later migration can change them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own declaration
        datetime: _Utc(),
        State: _words(State),
        Policy: _words(Policy),
        ClaimState: _words(ClaimState),
        Role: _words(Role),
    }


class Product(Base):
    """A kind of device, and the MQTT settings that its devices are given."""

    __tablename__ = "products"

    product_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    policy: Mapped[Policy]
    product_secret: Mapped[str | None] = mapped_column(String(256))
    mqtt_host: Mapped[str] = mapped_column(String(253))
    mqtt_port: Mapped[int | None]
    mqtt_ssl: Mapped[bool | None]
    mqtt_qos: Mapped[int]
    clean_session: Mapped[bool]
    keep_alive: Mapped[int | None]
    auth: Mapped[str | None] = mapped_column(String(64))
    sign_method: Mapped[str | None] = mapped_column(String(64))
    region: Mapped[str | None] = mapped_column(String(64))
    instance_id: Mapped[str | None] = mapped_column(String(64))
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
    confirmed_at: Mapped[datetime | None]  # when it first connected to the broker
    reopened_at: Mapped[datetime | None]  # when an operator allowed one more claim
    busy_until: Mapped[datetime | None]  # claims.py: how fast it asks
    doubts: Mapped[int] = mapped_column(default=0)  # claims.py: what spoke against it
    doubted_at: Mapped[datetime | None]  # when the first of them was

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


class Claim(Base):
    """One request id of a device, by which it asks for its credential."""

    __tablename__ = "claims"
    __table_args__ = (UniqueConstraint("device_id", "request_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"))
    request_id: Mapped[str] = mapped_column(String(32))
    state: Mapped[ClaimState]
    answered: Mapped[int]  # how often it was given the credential
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class AuditEntry(Base):
    """Something that was done to a device, or to what `subject` names.

    Entries are added and never changed.
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id"), index=True)
    subject: Mapped[str | None] = mapped_column(String(100))  # "operator ann"
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(32))
    note: Mapped[str | None] = mapped_column(String(200))  # a reason, a number


class Operator(Base):
    """A person or a machine that may look at the registry, or change it."""

    __tablename__ = "operators"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    role: Mapped[Role]
    password_hash: Mapped[str | None] = mapped_column(String(255))  # None: no log-in
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]  # when it last logged in


class OperatorSession(Base):
    """A browser that is logged in. Its cookie is known by its hash only."""

    __tablename__ = "operator_sessions"

    cookie_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(43))  # every form of the session holds it
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Token(Base):
    """What a program shows instead of a password. It is known by its hash only."""

    __tablename__ = "tokens"
    __table_args__ = (UniqueConstraint("operator_id", "label"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    label: Mapped[str] = mapped_column(String(32))
    role: Mapped[Role]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class Refusals(Base):
    """How many requests of boards were refused in an hour, by product and code."""

    __tablename__ = "refusals"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    product_key: Mapped[str] = mapped_column(String(64), primary_key=True)  # or ""
    code: Mapped[str] = mapped_column(String(5), primary_key=True)
    count: Mapped[int]

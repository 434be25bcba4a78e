"""The tables. Every change needs a migration in migrations/versions; a test checks."""

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    DateTime,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    and_,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Policy(StrEnum):
    """What the boards of a product have to prove before they receive a credential."""

    OPEN = "open"  # nothing, as in the seed's exchange: knowing an IMEI is enough
    PRODUCT_SECRET = "product-secret"  # that they know the product's one secret
    DEVICE_KEY = "device-key"  # that they have their own claim key


class Source(StrEnum):
    """Where the credentials of a product come from."""

    MINT = "mint"  # the server makes them, at random
    POOL = "pool"  # they are imported; each is issued once


class State(StrEnum):
    """The state of a device."""

    REGISTERED = "registered"
    ISSUED = "issued"
    CONFIRMED = "confirmed"  # it has connected to the broker
    REVOKED = "revoked"
    QUARANTINED = "quarantined"  # two boards seem to use its IMEI; an operator decides
    LOCKED = "locked"  # an operator has stopped its claims; it stays connected
    RETIRED = "retired"  # out of use for good: it receives no credential again


class CredentialSlot(StrEnum):
    """The slot that a credential of a device is in, until it is retired."""

    CURRENT = "current"
    NEXT = "next"  # made by a rotation; current as soon as the device connects with it


class PoolAlarm(StrEnum):
    """The last alarm that was raised for a pool since it was filled."""

    LOW = "low"
    EMPTY = "empty"


class ClaimState(StrEnum):
    """Whether the server still answers a request id, or what ended the claim."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"  # the device has connected to the broker
    SUPERSEDED = "superseded"  # by another id, or by an operator


class Role(StrEnum):
    """What an operator may do; each role includes those before it."""

    VIEWER = "viewer"  # see everything but secrets
    OPERATOR = "operator"  # change devices and batches
    ADMIN = "admin"  # change products, operators and keys, reveal secrets

    def covers(self, needed: "Role") -> bool:
        """Whether this role includes the role `needed`."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


def format_time(at: datetime | None) -> str | None:
    """Format a time as it is printed, in ISO 8601; None stays None."""
    return at.isoformat(timespec="seconds") if at else None


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite stores no time zone, so UTC is added when it is read."""

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


def _enum_column(values: type[StrEnum]) -> Enum:
    """Return the type of a column that holds an enumeration's values as text."""
    return Enum(
        values,
        native_enum=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


def bytewise(length: int) -> String:
    """Return a text type that both databases sort by bytes, as prefix searches need."""
    on_postgresql = String(length, collation="C")
    return String(length).with_variant(on_postgresql, "postgresql")


class Base(DeclarativeBase):
    """The base of the tables. Constraints have names, which migrations need."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own declaration
        datetime: UtcDateTime(),
        State: _enum_column(State),
        Policy: _enum_column(Policy),
        ClaimState: _enum_column(ClaimState),
        PoolAlarm: _enum_column(PoolAlarm),
        Role: _enum_column(Role),
        Source: _enum_column(Source),
        CredentialSlot: _enum_column(CredentialSlot),
    }


def table(model: type[DeclarativeBase]) -> Table:
    """Return a model's table. Statements without the ORM take a third less time."""
    found = model.__table__
    assert isinstance(found, Table)
    return found


class Product(Base):
    """A kind of device, and the MQTT settings that its devices receive."""

    __tablename__ = "products"

    product_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    policy: Mapped[Policy]
    encrypted_secret: Mapped[str | None] = mapped_column(String(512))  # vault.py
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
    source: Mapped[Source] = mapped_column(default=Source.MINT)
    pool_warn_below: Mapped[int] = mapped_column(default=100)
    pool_alarm: Mapped[PoolAlarm | None]
    open_batch: Mapped[str | None] = mapped_column(String(64))  # for unknown IMEIs
    max_failures_per_s: Mapped[int] = mapped_column(default=200)  # rate_limits.py
    created_at: Mapped[datetime]


class Batch(Base):
    """Devices of a product that are made together, and how many of them may enrol."""

    __tablename__ = "batches"
    __table_args__ = (UniqueConstraint("product_key", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_key: Mapped[str] = mapped_column(ForeignKey("products.product_key"))
    name: Mapped[str] = mapped_column(String(64))
    quota: Mapped[int | None]
    expires_at: Mapped[datetime | None]
    enrolled: Mapped[int] = mapped_column(default=0)  # devices that got a credential
    created_at: Mapped[datetime]


class Device(Base):
    """One board of a product, identified by its IMEI."""

    __tablename__ = "devices"
    __table_args__ = (
        UniqueConstraint("imei", "product_key"),  # IMEI first: queries search by it
        UniqueConstraint("product_key", "device_name"),
        # Each list of devices walks along one of these, so long lists stay fast.
        Index("ix_devices_product_key_id", "product_key", "id"),
        Index("ix_devices_state_id", "state", "id"),
        Index("ix_devices_batch_id_id", "batch_id", "id"),
        Index("ix_devices_device_name_id", "device_name", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_key: Mapped[str] = mapped_column(ForeignKey("products.product_key"))
    imei: Mapped[str] = mapped_column(bytewise(15))
    device_name: Mapped[str] = mapped_column(bytewise(64))
    state: Mapped[State]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"))
    created_at: Mapped[datetime]
    created_by: Mapped[str | None] = mapped_column(String(64))  # None: unknown
    import_id: Mapped[int | None]  # visible when it is finished (import_steps.py)
    # When it first received a credential; a restored device keeps this time.
    enrolled_at: Mapped[datetime | None] = mapped_column(index=True)
    issued_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]  # when it got an account at the broker
    confirmed_at: Mapped[datetime | None]  # when it first connected to the broker
    reopened_at: Mapped[datetime | None]  # when an operator allowed one more claim
    busy_until: Mapped[datetime | None]  # the device's rate limit (claims.py)
    doubts: Mapped[int] = mapped_column(default=0)  # signs of a second board
    doubted_at: Mapped[datetime | None]  # when the first sign was seen

    # lazy="raise": a secret is read only by a query that names it.
    product: Mapped[Product] = relationship(lazy="raise")
    batch: Mapped[Batch | None] = relationship(lazy="raise")
    credential: Mapped["Credential | None"] = relationship(
        lazy="raise",
        primaryjoin=lambda: and_(
            Credential.device_id == Device.id,
            Credential.standing == CredentialSlot.CURRENT,
        ),
    )


class DeviceTag(Base):
    """A word that operators have put on a device, to find it by."""

    __tablename__ = "device_tags"
    __table_args__ = (Index("ix_device_tags_tag_device_id", "tag", "device_id"),)

    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(bytewise(32), primary_key=True)


class Credential(Base):
    """A secret of a device. Retired ones stay as history, without the secret."""

    __tablename__ = "credentials"
    # At most one in each slot; retired ones have NULL, and NULLs are never equal.
    __table_args__ = (UniqueConstraint("device_id", "standing"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"))
    standing: Mapped[CredentialSlot | None] = mapped_column(
        default=CredentialSlot.CURRENT
    )
    source: Mapped[Source] = mapped_column(default=Source.MINT)
    encrypted_secret: Mapped[str | None] = mapped_column(String(512))
    # Only credentials from a pool may have one.
    encrypted_product_secret: Mapped[str | None] = mapped_column(String(512))
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]  # from then on `standing` is None


class Pooled(Base):
    """An imported credential. Its secrets move to the device that takes it."""

    __tablename__ = "pool"
    __table_args__ = (
        UniqueConstraint("product_key", "device_name"),
        # For finding the next one left: the first without a device.
        Index("ix_pool_product_key_device_id_id", "product_key", "device_id", "id"),
        Index(
            "ix_pool_device_id",
            "device_id",
            sqlite_where=text("device_id IS NOT NULL"),
            postgresql_where=text("device_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_key: Mapped[str] = mapped_column(ForeignKey("products.product_key"))
    device_name: Mapped[str] = mapped_column(bytewise(64))
    encrypted_secret: Mapped[str | None] = mapped_column(String(512))
    encrypted_product_secret: Mapped[str | None] = mapped_column(String(512))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id"))
    added_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    import_id: Mapped[int | None]  # visible when it is finished (import_steps.py)


class Claim(Base):
    """One request id with which a device asks for its credential."""

    __tablename__ = "claims"
    __table_args__ = (UniqueConstraint("device_id", "request_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"))
    request_id: Mapped[str] = mapped_column(String(32))
    state: Mapped[ClaimState]
    answered: Mapped[int]  # how often the reply held the credential
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class AuditEntry(Base):
    """An action on a device, or on what `subject` names. Entries never change."""

    __tablename__ = "audit"
    __table_args__ = (
        # For lists of what people did: few entries among the server's many.
        Index(
            "ix_audit_people",
            "who",
            "id",
            sqlite_where=text("who <> 'server'"),
            postgresql_where=text("who <> 'server'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id"), index=True)
    subject: Mapped[str | None] = mapped_column(String(100))  # "operator ann"
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(32))
    note: Mapped[str | None] = mapped_column(String(200))  # a reason, a number


class Import(Base):
    """A large import that runs in steps (import_steps.py)."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    into: Mapped[str] = mapped_column(String(16))  # a table
    after_id: Mapped[int]  # its rows have greater ids
    begun_at: Mapped[datetime]
    alive_at: Mapped[datetime | None]  # when its last step was; None: being undone
    finished_at: Mapped[datetime | None]


class Operator(Base):
    """A person or a program that may use the registry."""

    __tablename__ = "operators"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    role: Mapped[Role]
    password_hash: Mapped[str | None] = mapped_column(String(255))  # None: no log-in
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]  # when it last logged in


class OperatorSession(Base):
    """A browser that is logged in. Only the hash of its cookie is stored."""

    __tablename__ = "operator_sessions"

    cookie_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(43))  # each form of the session sends it
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Token(Base):
    """A token that a program sends instead of a password. Only its hash is stored."""

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
    """How many requests from boards were refused in an hour, by product and code."""

    __tablename__ = "refusals"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    product_key: Mapped[str] = mapped_column(String(64), primary_key=True)  # or ""
    code: Mapped[str] = mapped_column(String(5), primary_key=True)
    count: Mapped[int]


class DatabaseKey(Base):
    """The id of a key that encrypts secrets; the last one encrypts new secrets."""

    __tablename__ = "database_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(String(8), unique=True)
    created_at: Mapped[datetime]


class RateLimit(Base):
    """When a key's full allowance is available again (rate_limits.py)."""

    __tablename__ = "rate_limits"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    free_at: Mapped[float] = mapped_column(Double, index=True)  # Unix seconds

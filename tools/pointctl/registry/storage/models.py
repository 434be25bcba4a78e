"""The tables. A change here needs a step in migrations/versions, or a test fails."""

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
    """What the boards of a product have to prove before they are given anything."""

    OPEN = "open"  # nothing: the seed's exchange, whoever knows an IMEI is served
    PRODUCT_SECRET = "product-secret"  # that they know the one secret of the product
    DEVICE_KEY = "device-key"  # that they hold a key of their own


class Source(StrEnum):
    """Where the credentials of a product come from."""

    MINT = "mint"  # made here, at random
    POOL = "pool"  # imported, each handed out once


class State(StrEnum):
    """How far a device has come."""

    REGISTERED = "registered"
    ISSUED = "issued"
    CONFIRMED = "confirmed"  # has connected to the broker
    REVOKED = "revoked"
    QUARANTINED = "quarantined"  # the server has doubts: an operator has to look
    LOCKED = "locked"  # an operator has stopped its claims; connected it stays
    RETIRED = "retired"  # at the end of its life, and never given anything again


class CredentialSlot(StrEnum):
    """What a credential is to its device, until it is retired."""

    CURRENT = "current"
    NEXT = "next"  # made by a rotation: current as soon as it is seen connected


class PoolAlarm(StrEnum):
    """What has been said of a pool since it was last filled."""

    LOW = "low"
    EMPTY = "empty"


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


def moment(at: datetime | None) -> str | None:
    """A moment as people and programs are told it; there may be none."""
    return at.isoformat(timespec="seconds") if at else None


class UtcDateTime(TypeDecorator[datetime]):
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


def bytewise(length: int) -> String:
    """A column of text that sorts by its bytes on both databases, as a prefix needs."""
    on_postgresql = String(length, collation="C")
    return String(length).with_variant(on_postgresql, "postgresql")


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
        datetime: UtcDateTime(),
        State: _words(State),
        Policy: _words(Policy),
        ClaimState: _words(ClaimState),
        PoolAlarm: _words(PoolAlarm),
        Role: _words(Role),
        Source: _words(Source),
        CredentialSlot: _words(CredentialSlot),
    }


def table(model: type[DeclarativeBase]) -> Table:
    """The table of a model, for statements below the ORM: they take a third less."""
    found = model.__table__
    assert isinstance(found, Table)
    return found


class Product(Base):
    """A kind of device, and the MQTT settings that its devices are given."""

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
    open_batch: Mapped[str | None] = mapped_column(String(64))  # takes in unknown IMEIs
    max_failures_per_s: Mapped[int] = mapped_column(default=200)  # limits.py
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
    enrolled: Mapped[int] = mapped_column(default=0)  # devices ever given a credential
    created_at: Mapped[datetime]


class Device(Base):
    """One board of a product, known by its IMEI."""

    __tablename__ = "devices"
    __table_args__ = (
        UniqueConstraint("imei", "product_key"),  # IMEI first: boards are found by it
        UniqueConstraint("product_key", "device_name"),
        # Each list of devices is a walk along one of these, however many there are.
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
    created_by: Mapped[str | None] = mapped_column(String(64))  # None: not known
    import_id: Mapped[int | None]  # imports.py: there when that is finished
    # When it was first given a credential; restored ones keep it.
    enrolled_at: Mapped[datetime | None] = mapped_column(index=True)
    issued_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]  # when the broker was told of it
    confirmed_at: Mapped[datetime | None]  # when it first connected to the broker
    reopened_at: Mapped[datetime | None]  # when an operator allowed one more claim
    busy_until: Mapped[datetime | None]  # claims.py: how fast it asks
    doubts: Mapped[int] = mapped_column(default=0)  # claims.py: what spoke against it
    doubted_at: Mapped[datetime | None]  # when the first of them was

    # lazy="raise": a secret is read where a query names it, never by accident.
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
    """A secret of a device. Those that are retired stay as history, without it."""

    __tablename__ = "credentials"
    # At most one of each standing: databases take nulls for different.
    __table_args__ = (UniqueConstraint("device_id", "standing"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"))
    standing: Mapped[CredentialSlot | None] = mapped_column(
        default=CredentialSlot.CURRENT
    )
    source: Mapped[Source] = mapped_column(default=Source.MINT)
    encrypted_secret: Mapped[str | None] = mapped_column(String(512))
    encrypted_product_secret: Mapped[str | None] = mapped_column(
        String(512)
    )  # a pool's
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]  # its standing is None from then on


class Pooled(Base):
    """An imported credential. Once a device has taken it, its secrets are there."""

    __tablename__ = "pool"
    __table_args__ = (
        UniqueConstraint("product_key", "device_name"),
        # The next that is left is the first without a device.
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
    import_id: Mapped[int | None]  # imports.py: there when that is finished


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
    __table_args__ = (
        # What people did is little beside what the server does, and is asked for.
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
    """A large import that is made in steps (imports.py)."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    into: Mapped[str] = mapped_column(String(16))  # a table
    after_id: Mapped[int]  # its rows are beyond this one
    begun_at: Mapped[datetime]
    alive_at: Mapped[datetime | None]  # when its last step was; None: it is undone
    finished_at: Mapped[datetime | None]


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


class DatabaseKey(Base):
    """The id of a key that secrets are encrypted under; new ones are under the last."""

    __tablename__ = "database_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(String(8), unique=True)
    created_at: Mapped[datetime]


class RateLimit(Base):
    """When the allowance of a key will be whole again (limits.py)."""

    __tablename__ = "rate_limits"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    free_at: Mapped[float] = mapped_column(Double, index=True)  # Unix seconds

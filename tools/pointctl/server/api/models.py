"""What the API takes and gives, as OpenAPI describes it.

What is taken is strict: a member too many, or a number for a word, is a mistake.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from point.mqttauth import SCHEMES
from pointctl.registry.accounts.operators import MAX_PASSWORD, MIN_PASSWORD
from pointctl.registry.accounts.tokens import DAYS
from pointctl.registry.storage.models import Policy, Role, Source, State
from pointctl.web.problems import Mistake

IMEI, PRODUCT = "866123456789018", "pk3f9a2c71"
_WORD = r"^[A-Za-z0-9._-]{1,64}$"
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_NAME = r"^[a-z0-9][a-z0-9._-]{0,31}$"
_LABEL = r"^[a-z0-9][a-z0-9._-]{0,30}$"

_Row = TypeVar("_Row", bound=BaseModel)

# In paths.
ProductKey = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$", examples=[PRODUCT])]
Imei = Annotated[str, Path(pattern="^[0-9]{15}$", examples=[IMEI])]
Name = Annotated[str, Path(pattern=_NAME, examples=["ann"])]
BatchName = Annotated[str, Path(pattern=_WORD, examples=["A7"])]
Label = Annotated[str, Path(pattern=_LABEL, examples=["ci"])]

# In queries.
Limit = Annotated[int, Query(ge=1, le=500, description="rows a page")]
Word = Annotated[str | None, Query(max_length=64, pattern=PRINTABLE)]


def given(example: JsonDict) -> ConfigDict:
    """How a body is read that somebody sends."""
    return ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [example]}
    )


def shown(example: JsonDict) -> ConfigDict:
    """How a body is described that somebody gets."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class Page(BaseModel, Generic[_Row]):
    """Some rows, in an order that stays."""

    items: list[_Row]
    next: str | None = Field(description="`after` of the next page; null at the end")


class Me(BaseModel):
    """Who the token belongs to."""

    model_config = shown({"name": "ann/ci", "role": "viewer"})

    name: str = Field(description="operator/label: what the audit says")
    role: Role


class OperatorRow(BaseModel):
    """An operator."""

    model_config = shown(
        {
            "name": "ann",
            "role": "admin",
            "has_password": True,
            "created_at": "2026-11-02T08:30:00+00:00",
            "disabled_at": None,
            "seen_at": "2026-11-22T07:01:12+00:00",
        }
    )

    name: str
    role: Role
    has_password: bool = Field(description="without one it works with tokens only")
    created_at: datetime
    disabled_at: datetime | None
    seen_at: datetime | None = Field(description="when it last logged in")


# Strict, but a role comes as a word, as everything in JSON does.
_RoleWord = Annotated[Role, Field(strict=False)]
_Password = Annotated[str, Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]


class NewOperator(BaseModel):
    """An operator to be added."""

    model_config = given({"name": "bob", "role": "viewer"})

    name: str = Field(pattern=_NAME)
    role: _RoleWord = Role.VIEWER
    password: _Password | None = Field(
        None, description="without one it works with tokens only"
    )


class OperatorChange(BaseModel):
    """What is to be different of an operator; it is logged out."""

    model_config = given({"role": "operator"})

    role: _RoleWord | None = None
    disabled: bool | None = None
    password: _Password | None = None


class TokenRow(BaseModel):
    """A token. The token itself nobody has but its holder."""

    model_config = shown(
        {
            "label": "ci",
            "role": "viewer",
            "created_at": "2026-11-02T08:30:00+00:00",
            "expires_at": "2027-11-02T08:30:00+00:00",
            "revoked_at": None,
            "used_at": "2026-11-22T07:01:12+00:00",
        }
    )

    label: str
    role: Role
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


class NewToken(BaseModel):
    """A token to be made."""

    model_config = given({"label": "ci", "role": "viewer", "days": 90})

    label: str = Field(pattern=_LABEL)
    role: _RoleWord = Role.VIEWER
    days: int = Field(DAYS, ge=1, le=3650)


class MadeToken(BaseModel):
    """A new token, which cannot be read again."""

    model_config = shown(
        {"token": "pointctl_Zm9yZXhhbXBsZW9ubHlmb3JleGFtcGxlb25seWZvcg"}
    )

    token: str


class Entry(BaseModel):
    """Something that was done."""

    model_config = shown(
        {
            "id": 1207,
            "at": "2026-11-22T07:01:12+00:00",
            "who": "ann",
            "what": "revoked",
            "note": "stolen",
            "subject": None,
            "product_key": PRODUCT,
            "imei": IMEI,
        }
    )

    id: int
    at: datetime
    who: str
    what: str
    note: str | None = Field(description="a reason, a number")
    subject: str | None = Field(description="what it was done to, if to no device")
    product_key: str | None
    imei: str | None


class StepRow(BaseModel):
    """Devices that got their first credential in one step of time."""

    start: datetime
    count: int


class RefusalRow(BaseModel):
    """Requests of boards that were refused."""

    code: str = Field(description="as in the endpoint of boards")
    count: int


class Figures(BaseModel):
    """What the fleet is doing."""

    model_config = shown(
        {
            "states": {"registered": 120, "issued": 3, "confirmed": 877},
            "enrolments": [{"start": "2026-11-22T07:00:00+00:00", "count": 17}],
            "refusals": [{"code": "40101", "count": 4}],
            "pools": [{"product_key": PRODUCT, "left": 40, "taken": 960, "low": True}],
        }
    )

    states: dict[State, int]
    enrolments: list[StepRow] = Field(description="oldest first")
    refusals: list[RefusalRow]
    pools: list["PoolRow"]


class ProductRow(BaseModel):
    """A kind of device, and what its boards are told; not its secret."""

    model_config = shown(
        {
            "product_key": PRODUCT,
            "name": "Tracker 4G",
            "policy": "device-key",
            "has_secret": True,
            "mqtt_host": "mqtt.example.com",
            "mqtt_port": 8883,
            "mqtt_ssl": True,
            "mqtt_qos": 1,
            "clean_session": False,
            "keep_alive": 120,
            "auth": "plain",
            "sign_method": None,
            "region": None,
            "instance_id": None,
            "source": "mint",
            "pool_warn_below": 100,
            "open_batch": None,
            "max_failures_per_s": 200,
            "created_at": "2026-11-02T08:30:00+00:00",
        }
    )

    product_key: str
    name: str
    policy: Policy
    has_secret: bool
    mqtt_host: str
    mqtt_port: int | None
    mqtt_ssl: bool | None
    mqtt_qos: int
    clean_session: bool
    keep_alive: int | None
    auth: str | None = Field(description="how boards log in")
    sign_method: str | None
    region: str | None = Field(description="of Alibaba")
    instance_id: str | None = Field(description="of Alibaba")
    source: Source = Field(description="where its credentials come from")
    pool_warn_below: int = Field(description="credentials left in the pool")
    open_batch: str | None = Field(
        description="the batch that boards nobody knows are registered into"
    )
    max_failures_per_s: int = Field(description="then its boards are slowed down")
    created_at: datetime


_Text = Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE)]


class NewProduct(BaseModel):
    """A product to be added. What is left out is left to the boards."""

    model_config = given(
        {
            "name": "Tracker 4G",
            "policy": "device-key",
            "mqtt_host": "mqtt.example.com",
            "mqtt_port": 8883,
            "mqtt_ssl": True,
            "auth": "plain",
        }
    )

    name: str = Field(min_length=1, max_length=100, pattern=PRINTABLE)
    product_key: str | None = Field(None, pattern=_WORD, description="else a new one")
    policy: Annotated[Policy, Field(strict=False)] = Policy.DEVICE_KEY
    source: Annotated[Source, Field(strict=False)] = Source.MINT
    mqtt_host: str | None = Field(
        None, max_length=253, pattern=PRINTABLE, description="else Alibaba's own"
    )
    mqtt_port: int | None = Field(None, ge=1, le=65535)
    mqtt_ssl: bool | None = None
    mqtt_qos: int = Field(0, ge=0, le=1)
    clean_session: bool = False
    keep_alive: int | None = Field(None, ge=0, le=65535, description="seconds")
    auth: _Text | None = Field(None, description=f"one of: {', '.join(SCHEMES)}")
    sign_method: _Text | None = None
    region: _Text | None = None
    instance_id: _Text | None = None
    with_secret: bool = Field(True, description="make a product secret")


class ProductChange(BaseModel):
    """What is to be different of a product; null leaves it to the boards."""

    model_config = given({"mqtt_port": 8884})

    name: str = Field("", min_length=1, max_length=100, pattern=PRINTABLE)
    policy: Annotated[Policy, Field(strict=False)] = Policy.DEVICE_KEY
    source: Annotated[Source, Field(strict=False)] = Source.MINT
    mqtt_host: str = Field("", min_length=1, max_length=253, pattern=PRINTABLE)
    mqtt_port: int | None = Field(None, ge=1, le=65535)
    mqtt_ssl: bool | None = None
    mqtt_qos: int = Field(0, ge=0, le=1)
    clean_session: bool = False
    keep_alive: int | None = Field(None, ge=0, le=65535, description="seconds")
    auth: _Text | None = None
    sign_method: _Text | None = None
    region: _Text | None = None
    instance_id: _Text | None = None
    pool_warn_below: int = Field(0, ge=0, le=2**31 - 1)
    max_failures_per_s: int = Field(1, ge=1, le=2**31 - 1)


_DEVICE: dict[str, Any] = {
    "imei": IMEI,
    "product_key": PRODUCT,
    "device_name": IMEI,
    "state": "confirmed",
    "batch": "A7",
    "tags": ["pilot"],
    "created_at": "2026-11-02T08:30:00+00:00",
    "created_by": "ann",
    "issued_at": "2026-11-04T10:12:44+00:00",
    "confirmed_at": "2026-11-04T10:12:51+00:00",
}


class DeviceRow(BaseModel):
    """A device, without its secret."""

    model_config = shown(_DEVICE)

    imei: str
    product_key: str
    device_name: str
    state: State
    batch: str | None
    tags: list[str]
    created_at: datetime
    created_by: str | None
    issued_at: datetime | None = Field(description="when it was given what it has")
    confirmed_at: datetime | None = Field(description="when it first connected")


class CredentialRow(BaseModel):
    """A credential that a device has or had."""

    standing: str = Field(description="current, next or retired")
    source: str
    created_at: datetime
    retired_at: datetime | None


class DeviceEntry(BaseModel):
    """Something that was done to the device."""

    at: datetime
    who: str
    what: str
    note: str | None


class DeviceShown(DeviceRow):
    """A device with its history, newest first."""

    model_config = shown(
        {
            **_DEVICE,
            "policy": "device-key",
            "source": "mint",
            "enrolled_at": "2026-11-04T10:12:44+00:00",
            "announced_at": None,
            "reopened_at": None,
            "credentials": [
                {
                    "standing": "current",
                    "source": "mint",
                    "created_at": "2026-11-04T10:12:44+00:00",
                    "retired_at": None,
                }
            ],
            "history": [
                {
                    "at": "2026-11-04T10:12:51+00:00",
                    "who": "server",
                    "what": "confirmed",
                    "note": None,
                }
            ],
        }
    )

    policy: Policy
    source: Source
    enrolled_at: datetime | None = Field(description="when it was first given one")
    announced_at: datetime | None = Field(description="when the broker was told of it")
    reopened_at: datetime | None
    credentials: list[CredentialRow]
    history: list[DeviceEntry] = Field(description="the last 200")


class NewDevice(BaseModel):
    """A device to be registered."""

    model_config = given({"imei": IMEI, "device_name": "meter-17"})

    imei: str = Field(pattern="^[0-9]{15}$", description="15 digits, the last a check")
    device_name: str | None = Field(
        None, max_length=64, pattern=PRINTABLE, description="without one it is the IMEI"
    )


class Why(BaseModel):
    """Why it is done; the audit keeps it."""

    model_config = given({"reason": "reported stolen"})

    reason: str | None = Field(None, max_length=200, pattern=PRINTABLE)


class RevealWhy(BaseModel):
    """Why a secret has to be seen; the audit keeps it."""

    model_config = given({"reason": "to log in by hand, ticket 4711"})

    reason: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)


class Revealed(BaseModel):
    """The secrets that a device may use, the current one first."""

    model_config = shown({"device_secrets": ["8c4b1f0e5a6d7c3b2e9f1a0d4c5b6e7f"]})

    device_secrets: list[str]


class ImportResult(BaseModel):
    """What became of the rows of a file."""

    model_config = shown(
        {
            "added": 998,
            "unchanged": 1,
            "bad_count": 1,
            "bad": [{"where": "line 17", "what": "the IMEI's check digit is wrong"}],
        }
    )

    added: int = Field(description="or, in a dry run, what would have been")
    unchanged: int
    bad_count: int
    bad: list[Mistake] = Field(description="the first thousand of them")


class PoolRow(BaseModel):
    """Imported credentials of a product."""

    product_key: str
    left: int
    taken: int
    low: bool = Field(description="fewer than the product wants to be warned of")


TAG = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,32}$")]


class TagChange(BaseModel):
    """Tags to put on a device, and to take off."""

    model_config = given({"add": ["pilot"], "remove": ["spare"]})

    add: list[TAG] = Field(default_factory=list, max_length=50)
    remove: list[TAG] = Field(default_factory=list, max_length=50)


class Tags(BaseModel):
    """What a device is tagged then."""

    model_config = shown({"tags": ["pilot"]})

    tags: list[str]


class BatchRow(BaseModel):
    """Devices that are made together."""

    model_config = shown(
        {
            "product_key": PRODUCT,
            "name": "A7",
            "quota": 5000,
            "expires_at": "2027-01-01T00:00:00+00:00",
            "enrolled": 877,
            "open": True,
            "created_at": "2026-11-02T08:30:00+00:00",
            "devices": 1000,
        }
    )

    product_key: str
    name: str
    quota: int | None = Field(description="how many may enrol; null: any number")
    expires_at: datetime | None
    enrolled: int
    open: bool = Field(description="neither full nor over")
    created_at: datetime
    devices: int | None = Field(None, description="how many are registered in it")


_Quota = Annotated[int, Field(ge=0, le=2**31 - 1)]


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a moment is text")  # for pydantic; what was sent is not told
    return value


# Strict, but a moment comes as text, as everything in JSON does.
_Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_text)]


class NewBatch(BaseModel):
    """A batch to be added."""

    model_config = given({"name": "A7", "quota": 5000})

    name: str = Field(pattern=_WORD)
    quota: _Quota | None = None
    expires_at: _Moment | None = None


class BatchChange(BaseModel):
    """What is to be different of a batch; null takes a limit away."""

    model_config = given({"quota": 6000})

    quota: _Quota | None = None
    expires_at: _Moment | None = None

"""What the API takes and gives, as OpenAPI describes it.

What is taken is strict: a member too many, or a number for a word, is a mistake.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from pointctl.registry.models import Policy, Role, State
from pointctl.registry.operators import MAX_PASSWORD, MIN_PASSWORD
from pointctl.registry.tokens import DAYS

IMEI, PRODUCT = "866123456789018", "pk3f9a2c71"
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_NAME = r"^[a-z0-9][a-z0-9._-]{0,31}$"
_LABEL = r"^[a-z0-9][a-z0-9._-]{0,30}$"

_Row = TypeVar("_Row", bound=BaseModel)

# In paths.
ProductKey = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$", examples=[PRODUCT])]
Imei = Annotated[str, Path(pattern="^[0-9]{15}$", examples=[IMEI])]
Name = Annotated[str, Path(pattern=_NAME, examples=["ann"])]
Label = Annotated[str, Path(pattern=_LABEL, examples=["ci"])]

# In queries.
Limit = Annotated[int, Query(ge=1, le=500, description="rows a page")]
Word = Annotated[str | None, Query(max_length=64, pattern=_PRINTABLE)]


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
        }
    )

    states: dict[State, int]
    enrolments: list[StepRow] = Field(description="oldest first")
    refusals: list[RefusalRow]


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
    auth: str | None
    created_at: datetime


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

"""Models of devices, their tags and secrets."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from pointctl.registry.storage.models import Policy, Source, State
from pointctl.server.api.models.common import (
    IMEI,
    PRINTABLE_PATTERN,
    PRODUCT,
    request_config,
    response_config,
)

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

    model_config = response_config(_DEVICE)

    imei: str
    product_key: str
    device_name: str
    state: State
    batch: str | None
    tags: list[str]
    created_at: datetime
    created_by: str | None
    issued_at: datetime | None = Field(
        description="when it received its present credential"
    )
    confirmed_at: datetime | None = Field(
        description="when it first connected to the broker"
    )


class CredentialRow(BaseModel):
    """A credential that a device has or had."""

    standing: str = Field(description="current, next or retired")
    source: str
    created_at: datetime
    retired_at: datetime | None


class DeviceEntry(BaseModel):
    """An action on the device."""

    at: datetime
    who: str
    what: str
    note: str | None


class DeviceShown(DeviceRow):
    """A device with its history, newest first."""

    model_config = response_config(
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
    enrolled_at: datetime | None = Field(
        description="when it first received a credential"
    )
    announced_at: datetime | None = Field(
        description="when it got an account at the broker"
    )
    reopened_at: datetime | None = Field(
        description="when an operator allowed a claim without proof"
    )
    credentials: list[CredentialRow]
    history: list[DeviceEntry] = Field(description="the last 200 entries")


class NewDevice(BaseModel):
    """A device to be registered."""

    model_config = request_config({"imei": IMEI, "device_name": "meter-17"})

    imei: str = Field(
        pattern="^[0-9]{15}$", description="15 digits; the last is a check digit"
    )
    device_name: str | None = Field(
        None,
        max_length=64,
        pattern=PRINTABLE_PATTERN,
        description="default: the IMEI",
    )


class Why(BaseModel):
    """The reason of an action; the audit keeps it."""

    model_config = request_config({"reason": "reported stolen"})

    reason: str | None = Field(None, max_length=200, pattern=PRINTABLE_PATTERN)


class RevealWhy(BaseModel):
    """The reason to reveal a secret; the audit keeps it."""

    model_config = request_config({"reason": "to log in by hand, ticket 4711"})

    reason: str = Field(min_length=1, max_length=200, pattern=PRINTABLE_PATTERN)


class Revealed(BaseModel):
    """The secrets that a device may use, the current one first."""

    model_config = response_config(
        {"device_secrets": ["8c4b1f0e5a6d7c3b2e9f1a0d4c5b6e7f"]}
    )

    device_secrets: list[str]


TAG = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,32}$")]


class TagChange(BaseModel):
    """Tags to put on a device, and to take off."""

    model_config = request_config({"add": ["pilot"], "remove": ["spare"]})

    add: list[TAG] = Field(default_factory=list, max_length=50)
    remove: list[TAG] = Field(default_factory=list, max_length=50)


class Tags(BaseModel):
    """The tags of a device after the change."""

    model_config = response_config({"tags": ["pilot"]})

    tags: list[str]

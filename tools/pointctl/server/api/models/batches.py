"""Models of batches."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from pointctl.server.api.models.common import (
    PRODUCT,
    WORD_PATTERN,
    request_config,
    response_config,
)


class BatchRow(BaseModel):
    """Devices that are made together."""

    model_config = response_config(
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
    open: bool = Field(description="neither full nor expired")
    created_at: datetime
    devices: int | None = Field(None, description="how many are registered in it")


_Quota = Annotated[int, Field(ge=0, le=2**31 - 1)]


def _require_text(value: Any) -> Any:
    if not isinstance(value, str):
        # pydantic reports it, without the value that was sent
        raise ValueError("a time must be a text")
    return value


# Strict, except that JSON has no type for times: they are texts.
_Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_require_text)]


class NewBatch(BaseModel):
    """A batch to be added."""

    model_config = request_config({"name": "A7", "quota": 5000})

    name: str = Field(pattern=WORD_PATTERN)
    quota: _Quota | None = None
    expires_at: _Time | None = None


class BatchChange(BaseModel):
    """Changes of a batch; null removes a limit."""

    model_config = request_config({"quota": 6000})

    quota: _Quota | None = None
    expires_at: _Time | None = None

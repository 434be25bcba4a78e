"""Models of the audit and the overview."""

from datetime import datetime

from pydantic import BaseModel, Field

from pointctl.registry.storage.models import State
from pointctl.server.api.models.common import IMEI, PRODUCT, response_config


class Entry(BaseModel):
    """An entry of the audit."""

    model_config = response_config(
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
    note: str | None = Field(description="for example a reason or a number")
    subject: str | None = Field(description="what it is about, if not a device")
    product_key: str | None
    imei: str | None


class StepRow(BaseModel):
    """Devices that got their first credential in one step of time."""

    start: datetime
    count: int


class RefusalRow(BaseModel):
    """Requests from boards that were refused."""

    code: str = Field(description="the code in the reply to the board")
    count: int


class PoolRow(BaseModel):
    """Imported credentials of a product."""

    product_key: str
    left: int
    taken: int
    low: bool = Field(description="fewer are left than the product's pool_warn_below")


class Figures(BaseModel):
    """Counts of the fleet."""

    model_config = response_config(
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
    pools: list[PoolRow]

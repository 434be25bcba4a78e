"""Models of imports."""

from pydantic import BaseModel, Field

from pointctl.server.api.models.common import response_config
from pointctl.web.problems import Mistake


class ImportResult(BaseModel):
    """The outcome of an import."""

    model_config = response_config(
        {
            "added": 998,
            "unchanged": 1,
            "bad_count": 1,
            "bad": [{"where": "line 17", "what": "the IMEI's check digit is wrong"}],
        }
    )

    added: int = Field(description="in a dry run: how many would be added")
    unchanged: int
    bad_count: int
    bad: list[Mistake] = Field(description="the first thousand bad rows")

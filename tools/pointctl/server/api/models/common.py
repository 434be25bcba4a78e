"""What the models of several resources share: patterns, parameters, pages.

Requests are checked strictly: an unknown member, or a number for a text, is an error.
"""

from typing import Annotated, Generic, TypeVar

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

IMEI, PRODUCT = "866123456789018", "pk3f9a2c71"
WORD_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"
PRINTABLE_PATTERN = r"^[^\x00-\x1f\x7f]*$"
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,31}$"
LABEL_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,30}$"

_Row = TypeVar("_Row", bound=BaseModel)

# Parameters in paths.
ProductKey = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$", examples=[PRODUCT])]
Imei = Annotated[str, Path(pattern="^[0-9]{15}$", examples=[IMEI])]
Name = Annotated[str, Path(pattern=NAME_PATTERN, examples=["ann"])]
BatchName = Annotated[str, Path(pattern=WORD_PATTERN, examples=["A7"])]
Label = Annotated[str, Path(pattern=LABEL_PATTERN, examples=["ci"])]

# Parameters in queries.
Limit = Annotated[int, Query(ge=1, le=500, description="rows a page")]
Word = Annotated[str | None, Query(max_length=64, pattern=PRINTABLE_PATTERN)]


def request_config(example: JsonDict) -> ConfigDict:
    """Return the configuration of a request's body, which is checked strictly."""
    return ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [example]}
    )


def response_config(example: JsonDict) -> ConfigDict:
    """Return the configuration of a response's body, with its example."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class Page(BaseModel, Generic[_Row]):
    """A page of rows. Their order does not change."""

    items: list[_Row]
    next: str | None = Field(description="`after` of the next page; null at the end")

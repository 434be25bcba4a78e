"""ETag and If-Match: make a change conditional on a version (RFC 9110)."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Header, Response

from pointctl.registry.storage import etags

IfMatch = Annotated[
    str | None,
    Header(
        description="the ETag of the version that you have seen; the request is "
        "refused if there is a newer one",
        pattern=r'^("[0-9a-f]{16}"|\*)$',
        examples=['"0123456789abcdef"'],
    ),
]


def parse_if_match(if_match: str | None) -> str | None:
    """Return the ETag that the registry has to compare; None for any version."""
    return None if if_match in (None, "*") else if_match.strip('"')


def set_etag(response: Response, summary: Mapping[str, Any]) -> None:
    """Set the header ETag to the version of a summary."""
    response.headers["ETag"] = f'"{etags.etag(summary)}"'

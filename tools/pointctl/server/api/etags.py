"""ETag and If-Match: a change can be tied to the version that was seen (RFC 9110)."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Header, Response

from pointctl.registry.storage import etags

IfMatch = Annotated[
    str | None,
    Header(
        description="the ETag of what is changed; it is left alone if it has changed "
        "since",
        pattern=r'^("[0-9a-f]{16}"|\*)$',
        examples=['"0123456789abcdef"'],
    ),
]


def seen(if_match: str | None) -> str | None:
    """What the registry is to compare; None where any version will do."""
    return None if if_match in (None, "*") else if_match.strip('"')


def tell(response: Response, summary: Mapping[str, Any]) -> None:
    """Say in a header which version a summary is."""
    response.headers["ETag"] = f'"{etags.etag(summary)}"'

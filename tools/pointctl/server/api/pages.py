"""The header Link for pages of long lists."""

from fastapi import Request, Response


def link_next(request: Request, response: Response, after: str | None) -> None:
    """Set the header Link to the next page (RFC 8288)."""
    if after is not None:
        url = request.url.include_query_params(after=after)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'

"""Reading what a client posts."""

from fastapi import Request
from starlette.requests import ClientDisconnect


async def whole_body(request: Request, limit: int) -> bytes:
    """The body, cut where it is over `limit` bytes; empty if the client broke off."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                break
    except ClientDisconnect:
        return b""
    return body

"""Reading what a client posts."""

from fastapi import Request
from starlette.requests import ClientDisconnect

from point import protocol


async def whole_body(request: Request) -> bytes:
    """The body, cut where it is too long already. One that broke off is empty."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > protocol.MAX_BODY:
                break
    except ClientDisconnect:
        return b""
    return body

"""Read the body of a request."""

from fastapi import Request
from starlette.requests import ClientDisconnect


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body; stop once it exceeds `limit` bytes.

    Return nothing if the client closes the connection before the end.
    """
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                break
    except ClientDisconnect:
        return b""
    return body

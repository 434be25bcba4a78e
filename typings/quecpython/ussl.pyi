"""TLS over a usocket."""

from typing import Any

def wrap_socket(
    sock: Any,
    server_hostname: str = ...,
    cert: str = ...,
    key: str = ...,
    *,
    ca: str = ...,
) -> Any:
    """`ca`, which is PEM, is not documented: newer firmware takes it, older raises
    TypeError."""

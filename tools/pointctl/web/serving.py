"""Serve an application over HTTPS until the process is stopped."""

import signal
import socket
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

import structlog
import uvicorn
from fastapi import FastAPI

from pointctl.web.tls import Certificate

GRACE_S = 2  # the time for open requests to finish and clients to disconnect


def listen(host: str, port: int, *, share: bool = False) -> socket.socket:
    """Open a listening socket; port 0 takes a free one.

    Sockets that `share` a port each get a part of the connections. Raises OSError for
    an address that is in use or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, reuse_port=share)


def announce_ready(listener: socket.socket) -> None:
    """Print and log the server's URL."""
    host, port = listener.getsockname()[:2]
    url = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    print(f"serving {url}  docs at {url}/docs", file=sys.stderr, flush=True)
    structlog.get_logger().info("ready", url=url, host=host, port=port)


def run(
    app: FastAPI,
    listener: socket.socket,
    certificate: Certificate,
    *,
    on_ready: Callable[[socket.socket], None] = announce_ready,
    trusted_proxies: Sequence[str] = (),
    **options: Any,
) -> None:
    """Serve until SIGTERM or SIGINT, which end the process with exit code 0.

    After the signal it accepts no connections, and open requests finish within seconds.
    `trusted_proxies` are addresses and networks whose X-Forwarded-For is trusted;
    `options` are passed to uvicorn.
    """
    config = uvicorn.Config(
        app,
        ssl_context_factory=lambda _config, _default: certificate.context,
        log_config=None,
        log_level="warning",
        access_log=False,  # queries may hold secrets
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=GRACE_S,
        **options,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn raises the signal once more after it has shut down.
        signal.signal(number, _stop)
    _Server(config, on_ready).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[socket.socket], None]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        self._on_ready(sockets[0])


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)

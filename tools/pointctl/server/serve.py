"""Running the server until it is told to stop."""

import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

import structlog
import uvicorn

from pointctl import logs
from pointctl.broker.accounts import MosquittoAdmin, open_accounts
from pointctl.folder import DataFolder
from pointctl.registry.keys import claim_keys as keys
from pointctl.registry.opening import open_registry
from pointctl.server import metrics
from pointctl.server.app import create_app
from pointctl.web.tls import Certificate

GRACE_S = 2  # for requests that are under way, and for boards to hang up


@dataclass(frozen=True)
class Settings:
    """What a server is told; other processes can be given it."""

    data: Path
    host: str
    port: int  # 0 takes a free one
    certificate: Path
    key: Path
    mosquitto: MosquittoAdmin | None = None
    mqtt_hook_token: str | None = field(default=None, repr=False)
    metrics_port: int | None = None
    trusted_proxies: tuple[str, ...] = ()  # whom they name is who asks


def listen(settings: Settings, *, share: bool = False) -> socket.socket:
    """A listening socket; several that `share` a port each get a part of the boards.

    Raises OSError for an address that cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = settings.host, settings.port
    return socket.create_server(address, family=family, reuse_port=share)


def serve(
    settings: Settings,
    listener: socket.socket,
    on_ready: Callable[[socket.socket], None] | None = None,
) -> NoReturn:
    """Serve HTTPS; SIGTERM and SIGINT end the process with exit code 0.

    Then it accepts no more, and what is under way is finished within seconds. Raises
    PointctlError for a certificate, a database or a broker that cannot be used.
    """
    certificate = Certificate(settings.certificate, settings.key)
    with (
        open_accounts(settings.mosquitto) as accounts,
        open_registry(settings.data) as database,
    ):
        claim_keys = keys.open_keys(DataFolder(settings.data))
        logs.configure()
        if settings.metrics_port is not None:
            metrics.start(database, certificate.path, settings.metrics_port)
        token = settings.mqtt_hook_token
        config = uvicorn.Config(
            create_app(database, claim_keys, accounts, token, certificate),
            ssl_context_factory=lambda _config, _default: certificate.context,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=GRACE_S,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            # Uvicorn raises the signal once more after it has shut down.
            signal.signal(number, _stop)
        _Server(config, on_ready or say_ready).run(sockets=[listener])
    sys.exit(0)


def say_ready(listener: socket.socket) -> None:
    """Tell people and the log where the server is."""
    host, port = listener.getsockname()[:2]
    url = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    print(f"serving {url}  docs at {url}/docs", file=sys.stderr, flush=True)
    structlog.get_logger().info("ready", url=url, host=host, port=port)


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

"""Running the server until it is told to stop."""

import signal
import socket
import ssl
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import structlog
import uvicorn

from pointctl import logs
from pointctl.errors import PointctlError
from pointctl.registry.access import BrokerAccounts
from pointctl.registry.database import Database
from pointctl.registry.keys import ClaimKeys
from pointctl.server.app import create_app

_GRACE_S = 2  # for requests that are under way, and for boards to hang up


def serve(
    database: Database,
    keys: ClaimKeys,
    *,
    host: str,
    port: int,
    certificate: Path,
    key: Path,
    broker_accounts: BrokerAccounts | None = None,
    mqtt_hook_token: str | None = None,
) -> NoReturn:
    """Serve HTTPS; SIGTERM and SIGINT end the process with exit code 0.

    Port 0 takes a free one; the log event `ready` says which. Raises PointctlError for
    a certificate that cannot be used, OSError for an address that cannot.
    """
    context = _tls(certificate, key)
    logs.configure()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        config = uvicorn.Config(
            create_app(database, keys, broker_accounts, mqtt_hook_token),
            ssl_context_factory=lambda _config, _default: context,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            # Uvicorn raises the signal once more after it has shut down.
            signal.signal(number, _stop)
        _Server(config).run(sockets=[listener])
    sys.exit(0)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        host, port = sockets[0].getsockname()[:2]
        url = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        print(f"serving {url}  docs at {url}/docs", file=sys.stderr, flush=True)
        structlog.get_logger().info("ready", url=url, host=host, port=port)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _tls(certificate: Path, key: Path) -> ssl.SSLContext:
    for path in (certificate, key):
        if not path.is_file():
            raise PointctlError(f"{path} is missing; run pointctl ca init")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Boards resume no sessions, and these were two records on each new connection.
    context.num_tickets = 0
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise PointctlError(
            f"{certificate} and {key} are no certificate with its key: {error.reason}"
        ) from error
    return context

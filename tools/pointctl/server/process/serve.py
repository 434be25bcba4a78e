"""Run the server in one process until it is stopped."""

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from pointctl import logs
from pointctl.broker.accounts import MosquittoAdmin, open_accounts
from pointctl.folder import DataFolder
from pointctl.registry.keys import claim_keys
from pointctl.registry.opening import open_registry
from pointctl.server import metrics
from pointctl.server.app import create_app
from pointctl.web import serving
from pointctl.web.tls import Certificate


@dataclass(frozen=True)
class ServeSettings:
    """The settings of a server; they can be passed to other processes."""

    data: Path
    host: str
    port: int  # 0 takes a free one
    certificate: Path
    key: Path
    mosquitto: MosquittoAdmin | None = None
    mqtt_hook_token: str | None = field(default=None, repr=False)
    metrics_port: int | None = None
    trusted_proxies: tuple[str, ...] = ()  # whose X-Forwarded-For is trusted


def serve(
    settings: ServeSettings,
    listener: socket.socket,
    on_ready: Callable[[socket.socket], None] = serving.announce_ready,
) -> NoReturn:
    """Serve HTTPS; SIGTERM and SIGINT end the process with exit code 0.

    Raises PointctlError for a certificate, a database or a broker that cannot be used.
    """
    certificate = Certificate(settings.certificate, settings.key)
    with (
        open_accounts(settings.mosquitto) as accounts,
        open_registry(settings.data) as database,
    ):
        keys = claim_keys.open_keys(DataFolder(settings.data))
        logs.configure()
        if settings.metrics_port is not None:
            metrics.start(database, certificate.path, settings.metrics_port)
        token = settings.mqtt_hook_token
        serving.run(
            create_app(database, keys, accounts, token, certificate),
            listener,
            certificate,
            on_ready=on_ready,
            trusted_proxies=settings.trusted_proxies,
        )
    sys.exit(0)

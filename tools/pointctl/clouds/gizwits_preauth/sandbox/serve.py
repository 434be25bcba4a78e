"""Running the sandbox until it is told to stop."""

import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from pointctl import logs
from pointctl.clouds.gizwits_agent.cloud import Place
from pointctl.clouds.gizwits_preauth.algorithms import Algorithm
from pointctl.clouds.gizwits_preauth.sandbox import keys
from pointctl.clouds.gizwits_preauth.sandbox.app import create_app
from pointctl.clouds.gizwits_preauth.sandbox.chaos import Chaos, Protocol
from pointctl.folder import DataFolder
from pointctl.registry.commands import opened
from pointctl.server.serve import GRACE_S, Settings, listen, say_ready
from pointctl.server.tls import Certificate


@dataclass(frozen=True)
class Behaviour:
    """How the sandbox differs from a server on a good day."""

    algorithm: Algorithm | None = None
    chaos: Chaos | None = None
    place: Place | None = None  # where devices are told to log in


def serve(settings: Settings, behaviour: Behaviour) -> NoReturn:
    """Serve HTTPS; SIGTERM and SIGINT end the process with exit code 0.

    Raises PointctlError for a certificate or a database that cannot be used, OSError
    for the address.
    """
    certificate = Certificate(settings.certificate, settings.key)
    folder = DataFolder(settings.data)
    # The address first: where it cannot be had, nothing is to be made.
    with listen(settings) as listener, opened(settings.data, make=True) as database:
        if keys.create_secret(folder):
            print(f"made {keys.entry(folder).path}: {keys.KEEP_IT}", file=sys.stderr)
        maker = keys.open_maker(folder, behaviour.algorithm)
        logs.configure()
        app = create_app(database, maker, behaviour.chaos, certificate, behaviour.place)
        _when_started(app, lambda: say_ready(listener))
        config = uvicorn.Config(
            app,
            http=Protocol,
            ssl_context_factory=lambda _config, _default: certificate.context,
            log_config=None,
            log_level="warning",
            access_log=False,  # queries hold auth_codes
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            # Uvicorn raises the signal once more after it has shut down.
            signal.signal(number, _stop)
        uvicorn.Server(config).run(sockets=[listener])
    sys.exit(0)


def _when_started(app: FastAPI, call: Callable[[], object]) -> None:
    """Call it once the application runs; the socket listens already."""
    inner: Callable[[FastAPI], AbstractAsyncContextManager[object]]
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app):
            call()
            yield

    app.router.lifespan_context = running


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)

"""Serving all of Gizwits' sandboxes as one application."""

import socket
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from fastapi import FastAPI

from pointctl import logs
from pointctl.clouds.gizwits.devices.sandbox import app as devices_app
from pointctl.clouds.gizwits.devices.sandbox.service import DeviceService
from pointctl.clouds.gizwits.devices.wire import MqttAddress
from pointctl.clouds.gizwits.preauth.sandbox import app as preauth_app
from pointctl.clouds.gizwits.preauth.sandbox import batches
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.clouds.kit import serving
from pointctl.clouds.kit.chaos import Chaos
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.web.tls import Certificate


@dataclass(frozen=True)
class SandboxBehaviour:
    """How the sandbox behaves."""

    chaos: Chaos | None = None  # None is a good day
    mqtt: MqttAddress | None = None  # where devices log in; None: they get no answer


def create_app(
    database: SandboxDatabase,
    maker: KeyMaker,
    behaviour: SandboxBehaviour,
    certificate: Certificate | None = None,
) -> FastAPI:
    """The application over one database; it works on batches while it runs."""
    app = serving.new_app(
        "Gizwits device authorisation: a sandbox",
        certificate=certificate,
        chaos=behaviour.chaos,
        work=partial(batches.work_on_oldest, database, maker),
    )
    preauth_app.add_routes(app, database, maker)
    if behaviour.mqtt is not None:
        service = DeviceService(database, maker, behaviour.mqtt)
        devices_app.add_routes(app, service)
    serving.describe_without_422(app)
    return app


def serve(
    database: SandboxDatabase,
    maker: KeyMaker,
    behaviour: SandboxBehaviour,
    listener: socket.socket,
    certificate: Certificate,
) -> NoReturn:
    """Serve HTTPS until SIGTERM or SIGINT, which end the process with exit code 0."""
    logs.configure()
    app = create_app(database, maker, behaviour, certificate)
    serving.serve(app, listener, certificate)

"""Running the sandbox until it is told to stop."""

import sys
from dataclasses import dataclass
from typing import NoReturn

from pointctl import logs
from pointctl.clouds.gizwits.devices.sandbox.cloud import Place
from pointctl.clouds.gizwits.preauth.algorithms import Algorithm
from pointctl.clouds.gizwits.preauth.sandbox import keys
from pointctl.clouds.gizwits.preauth.sandbox.app import create_app
from pointctl.clouds.kit.chaos import Chaos, Protocol
from pointctl.folder import DataFolder
from pointctl.registry.opening import open_registry
from pointctl.server.process.serve import ServeSettings
from pointctl.web import serving
from pointctl.web.tls import Certificate


@dataclass(frozen=True)
class Behaviour:
    """How the sandbox differs from a server on a good day."""

    algorithm: Algorithm | None = None
    chaos: Chaos | None = None
    place: Place | None = None  # where devices are told to log in


def serve(settings: ServeSettings, behaviour: Behaviour) -> NoReturn:
    """Serve HTTPS; SIGTERM and SIGINT end the process with exit code 0.

    Raises PointctlError for a certificate or a database that cannot be used, OSError
    for the address.
    """
    certificate = Certificate(settings.certificate, settings.key)
    folder = DataFolder(settings.data)
    with (
        open_registry(settings.data) as database,
        serving.listen(settings.host, settings.port) as listener,
    ):
        maker = keys.open_maker(folder, behaviour.algorithm)
        logs.configure()
        app = create_app(database, maker, behaviour.chaos, certificate, behaviour.place)
        serving.run(app, listener, certificate, http=Protocol)
    sys.exit(0)

"""The broker that the sandbox's devices log in at: the embedded one."""

from functools import partial

from pointctl.broker import embedded_program
from pointctl.broker.embedded import EmbeddedSettings
from pointctl.clouds.gizwits.devices.sandbox.service import find_login_topics
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.clouds.kit.database import SandboxDatabase


def run(database: SandboxDatabase, maker: KeyMaker, settings: EmbeddedSettings) -> None:
    """Let devices in as the sandbox knows them, until SIGTERM or SIGINT."""
    embedded_program.run(settings, partial(find_login_topics, database, maker))

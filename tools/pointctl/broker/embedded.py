"""A small broker for machines without mosquitto: amqtt, asking the registry who may in.

Run as `python -m pointctl.broker.embedded CONFIG`. For demonstrations and tests on this
machine: amqtt looks a session up before it asks us who the client is, so a stranger who
knows a client id can interrupt that client, though neither read nor write for it.
"""

import asyncio
import contextlib
import hmac
import importlib.metadata
import json
import logging
import signal
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action, BaseContext
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from point.gizwits import authkey
from pointctl import logs
from pointctl.broker.login import make_login, read_login
from pointctl.broker.process import HOST, BrokerProcess
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder, private_file, private_folder
from pointctl.registry.issuing import mqtt_login
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.topics import Topics

# Attributes of a session: who it was that we let in, and to what.
_USER = "pointctl.user"
_TOPICS = "pointctl.topics"
# (client id, user, password) of a CONNECT -> its topics, None if it is not let in.
_Judge = Callable[[str, str, str], Topics | None]
_EVERYTHING = Topics(("#",), ("#",))
_NOTHING = Topics((), ())

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def broker(
    folder: Path,
    *,
    port: int,
    certificate: Path,
    key: Path,
    ca_file: Path,
    registry: Path,
    on_line: Callable[[str], None],
    gizwits: bool = False,
) -> BrokerProcess:
    """An embedded broker with its files in `folder`, ready to be started.

    Devices of the `registry` may connect as they are issued, with `gizwits` those of
    that sandbox instead; the operator's login, folder/operator.json, may do all.
    """
    private_folder(folder)
    login_file = folder / "operator.json"
    make_login(login_file)
    config = {
        "port": port,
        "certificate": str(certificate),
        "key": str(key),
        "registry": str(registry),
        "login_file": str(login_file),
        "gizwits": gizwits,
    }
    config_file = folder / "embedded.json"
    with private_file(config_file) as file:
        json.dump(config, file, indent=2)
    return BrokerProcess(
        f"amqtt {importlib.metadata.version('amqtt')} (embedded)",
        [sys.executable, "-m", "pointctl.broker.embedded", str(config_file)],
        port=port,
        ca_file=ca_file,
        login_file=login_file,
        on_line=on_line,
    )


class Gate(BaseAuthPlugin, BaseTopicPlugin):
    """Decides who may connect and to which topics, and logs what it decided."""

    @dataclass
    class Config:
        """What amqtt passes from the broker's configuration."""

        registry: Path
        login_file: Path
        gizwits: bool

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._operator = read_login(self.config.login_file)
        self._database = open_database(self.config.registry)
        self._topics_of: _Judge = partial(_of_registry, self._database)
        if self.config.gizwits:
            from pointctl.clouds.gizwits.devices.sandbox import cloud
            from pointctl.clouds.gizwits.preauth.sandbox import keys

            # Whether keys may be computed was decided when this one was issued.
            folder = DataFolder(self.config.registry.parent)
            maker = keys.open_maker(folder, authkey.derive)
            self._topics_of = partial(cloud.judge, self._database, maker)

    async def authenticate(self, *, session: Session) -> bool:
        """Whether this client is the operator, or a device that proves itself."""
        username = session.username or ""
        owner = username.partition("|")[0]  # behind it, Gizwits' boards sign
        topics = None
        # amqtt hands the session of a known client id to whoever names it: only its
        # owner gets on. A will is sent without asking for permission: so we ask now.
        if session.attributes.get(_USER, owner) == owner:
            topics = self._judge(session.client_id or "", username, session.password)
        allowed = topics is not None and (
            not session.will_flag or topics.may_publish(session.will_topic or "")
        )
        if allowed:
            session.attributes.update({_USER: owner, _TOPICS: topics})
        else:
            session.will_flag = False
        log.info("connect", client=session.client_id, user=username, allowed=allowed)
        return allowed

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        """Whether this client may publish to, subscribe to or receive from `topic`."""
        if session is None or action is None:
            return False
        topics: Topics = session.attributes.get(_TOPICS, _NOTHING)
        publishes = action is Action.PUBLISH
        may = topics.may_publish if publishes else topics.may_subscribe
        allowed = may(topic or "")
        if action is not Action.RECEIVE:
            user = session.attributes.get(_USER, "")
            log.info(action.value, user=user, topic=topic, allowed=allowed)
        return allowed

    async def on_broker_client_disconnected(
        self, *, client_id: str, client_session: Session
    ) -> None:
        """Log the end of a connection."""
        user = client_session.attributes.get(_USER)
        log.info("disconnect", client=client_id, user=user)

    async def close(self) -> None:
        """Close the registry."""
        self._database.close()

    def _judge(
        self, client_id: str, username: str, password: str | None
    ) -> Topics | None:
        """The topics of a client that is let in; None for all others."""
        password = password or ""
        if username == self._operator.username:
            ours = self._operator.password.encode()
            same = hmac.compare_digest(ours, password.encode())
            return _EVERYTHING if same else None
        try:
            return self._topics_of(client_id, username, password)
        except PointctlError as error:
            log.error("registry", detail=str(error))
            return None


def _of_registry(
    database: Database, client_id: str, username: str, password: str
) -> Topics | None:
    login = mqtt_login.judge(database, client_id, username, password)
    return mqtt_login.topics(login.device) if login.device else None


class _Broker(Broker):
    """amqtt 0.12 without retained messages.

    It sends every retained message to every client that connects, whosesoever it is.
    """

    async def retain_message(self, *_: Any, **__: Any) -> None:
        """Forget it; subscribers that are there have got it."""


async def serve(config: dict[str, Any]) -> None:
    """Serve until SIGTERM or SIGINT."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config["certificate"], config["key"])
    gate = {
        "registry": Path(config["registry"]),
        "login_file": Path(config["login_file"]),
        "gizwits": config["gizwits"],
    }
    mqtt = _Broker(
        {
            # External: amqtt's own listener would ask boards for client certificates.
            "listeners": {"default": {"type": "external"}},
            "plugins": {f"{Gate.__module__}.{Gate.__qualname__}": gate},
        }
    )

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):  # clients go when they like
            await mqtt.external_connected(
                StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default"
            )

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await mqtt.start()
    # asyncio sets TCP_NODELAY itself, and amqtt writes a packet at once.
    server = await asyncio.start_server(connected, HOST, config["port"], ssl=context)
    log.info("ready", port=config["port"])
    await stopped.wait()
    server.close()
    await mqtt.shutdown()


def main() -> None:
    """Run the broker with the configuration file that is named on the command line."""
    logs.configure()
    for library in ("alembic", "amqtt", "transitions"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    asyncio.run(serve(config))


if __name__ == "__main__":
    main()

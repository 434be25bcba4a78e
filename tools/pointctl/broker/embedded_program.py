"""The embedded broker's program: amqtt, with a judge of devices that is passed in.

Run as `python -m pointctl.broker.embedded_program CONFIG`, it lets in the devices of a
registry. A sandbox calls run() with a judge of its own. It is for demonstrations and
tests on this machine: amqtt looks a session up before it asks us who the client is, so
a stranger who knows a client id can interrupt that client, but cannot read or write for
it.
"""

import asyncio
import contextlib
import hmac
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

from pointctl import logs
from pointctl.broker.embedded import EmbeddedSettings
from pointctl.broker.login import OperatorLogin, read_login
from pointctl.broker.process import HOST
from pointctl.errors import PointctlError
from pointctl.registry.issuing import mqtt_login
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.topics import Topics

# Attributes of a session: the user that we let in, and its topics.
_USER = "pointctl.user"
_TOPICS = "pointctl.topics"
# (client id, user, password) of a CONNECT -> its topics; None if it is not let in.
Judge = Callable[[str, str, str], Topics | None]
_EVERYTHING = Topics(("#",), ("#",))
_NOTHING = Topics((), ())

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True)
class Gatekeeper:
    """Who decides on clients: the operator's login, and a judge of devices."""

    operator: OperatorLogin
    judge: Judge

    def find_topics(
        self, client_id: str, username: str, password: str | None
    ) -> Topics | None:
        """The topics of a client that is let in; None for all others."""
        password = password or ""
        if username == self.operator.username:
            ours = self.operator.password.encode()
            is_operator = hmac.compare_digest(ours, password.encode())
            return _EVERYTHING if is_operator else None
        try:
            return self.judge(client_id, username, password)
        except PointctlError as error:
            log.error("registry", detail=str(error))
            return None


class Gate(BaseAuthPlugin, BaseTopicPlugin):
    """Decides who may connect and to which topics, and logs its decisions."""

    @dataclass
    class Config:
        """What amqtt passes from the broker's configuration."""

        gatekeeper: Gatekeeper

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._gatekeeper = self.config.gatekeeper

    async def authenticate(self, *, session: Session) -> bool:
        """Whether this client is the operator, or a device that proves itself."""
        username = session.username or ""
        owner = username.partition("|")[0]  # what Gizwits' boards sign follows it
        topics = None
        # amqtt gives the session of a known client id to anybody who names it: we let
        # its owner in only. It sends a will without asking us: so we judge it now.
        if session.attributes.get(_USER, owner) == owner:
            client_id = session.client_id or ""
            topics = self._gatekeeper.find_topics(client_id, username, session.password)
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


class _Broker(Broker):
    """amqtt 0.12 without retained messages.

    It sends every retained message to every client that connects.
    """

    async def retain_message(self, *_: Any, **__: Any) -> None:
        """Keep nothing: the subscribers that are connected have it already."""


async def serve(settings: EmbeddedSettings, judge: Judge) -> None:
    """Serve until SIGTERM or SIGINT; `judge` decides on all but the operator."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.key)
    gatekeeper = Gatekeeper(read_login(Path(settings.login_file)), judge)
    plugin = f"{Gate.__module__}.{Gate.__qualname__}"
    mqtt = _Broker(
        {
            # External: amqtt's own listener would ask boards for client certificates.
            "listeners": {"default": {"type": "external"}},
            "plugins": {plugin: {"gatekeeper": gatekeeper}},
        }
    )

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):  # a client may close at any time
            await mqtt.external_connected(
                StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default"
            )

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await mqtt.start()
    # asyncio sets TCP_NODELAY itself, and amqtt writes a packet at once.
    server = await asyncio.start_server(connected, HOST, settings.port, ssl=context)
    log.info("ready", port=settings.port)
    await stopped.wait()
    server.close()
    await mqtt.shutdown()


def run(settings: EmbeddedSettings, judge: Judge) -> None:
    """Run a broker in this process until SIGTERM or SIGINT; its log goes to stdout."""
    logs.configure()
    for library in ("alembic", "amqtt", "transitions"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    asyncio.run(serve(settings, judge))


def _judge_by_registry(
    database: Database, client_id: str, username: str, password: str
) -> Topics | None:
    login = mqtt_login.judge(database, client_id, username, password)
    return mqtt_login.topics(login.device) if login.device else None


def main() -> None:
    """Run the broker by the configuration file that the command line names."""
    config: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with open_database(Path(config.pop("registry"))) as database:
        run(EmbeddedSettings(**config), partial(_judge_by_registry, database))


if __name__ == "__main__":
    main()

"""MQTT 3.1.1 over TLS, the server's side: packets and topics, and no decisions.

amqtt's packet classes read and write the bytes; what becomes of them the cloud says.
"""

import asyncio
import itertools
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from amqtt.adapters import StreamReaderAdapter
from amqtt.errors import AMQTTError, MQTTError
from amqtt.mqtt import packet_class
from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.packet import MQTTFixedHeader
from amqtt.mqtt.pingreq import PingReqPacket
from amqtt.mqtt.pingresp import PingRespPacket
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket

from tests.patience import PATIENCE_S

HOST = "127.0.0.1"
_GONE = (AMQTTError, MQTTError, OSError, asyncio.IncompleteReadError)

T = TypeVar("T")


class Client:
    """One connection. `device` and `purpose` are the cloud's, to know it by."""

    device: Any = None
    purpose = ""

    def __init__(self, connect: ConnectPacket, writer: asyncio.StreamWriter) -> None:
        self.id: str = connect.client_id or ""
        self.user: str = connect.username or ""
        self.password: str = connect.password or ""
        self.keep_alive: int = connect.keep_alive
        self.filters: list[str] = []
        self.unacknowledged: set[int] = set()
        self._writer = writer
        self._numbers = itertools.cycle(range(1, 65536))

    def send(self, packet: Any) -> None:
        """Send a packet."""
        self._writer.write(packet.to_bytes())

    def publish(self, topic: str, message: bytes, share: float = 1) -> None:
        """Publish at QoS 1; with `share` less than 1 only so much of the packet."""
        number = next(self._numbers)
        self.unacknowledged.add(number)
        packet = PublishPacket.build(topic, message, number, False, 1, False)
        data = packet.to_bytes()
        self._writer.write(data[: int(len(data) * share)])

    def wants(self, topic: str) -> bool:
        """Whether it has subscribed to `topic`."""
        return any(covers(each, topic) for each in self.filters)

    def hang_up(self) -> None:
        """End the connection when what was sent has gone."""
        self._writer.close()

    def cut(self) -> None:
        """End the connection without a word."""
        self._writer.transport.abort()


class Cloud(Protocol):
    """Who decides. All of it is called in the server's thread."""

    def connects(self, client: Client) -> int:
        """The CONNACK code for this client."""

    def connected(self, client: Client) -> None:
        """It has been told that it is in."""

    def subscribes(self, client: Client, topic_filter: str) -> bool:
        """Whether it may."""

    def receives(self, client: Client, topic: str, message: bytes) -> None:
        """It has published."""

    def leaves(self, client: Client, goodbye: bool) -> None:
        """It is gone, with a DISCONNECT or without."""

    def fails(self, error: Exception) -> None:
        """What a client sent, or the cloud did with it, makes no sense."""


class Server:
    """Serves `cloud` over TLS on a free port of the loopback, in a thread of its own.

    `http` answers what comes on another port, as asyncio.start_server calls it.
    """

    def __init__(
        self,
        cloud: Cloud,
        context: ssl.SSLContext,
        http: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
    ) -> None:
        self._cloud = cloud
        self._context = context
        self._http = http
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=[self._run()])
        self.port = self.http_port = 0
        # A packet that came is acknowledged before the cloud has looked at it, or after
        # the cloud has answered it: brokers do both.
        self.acknowledge_last = False

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        self._ready.wait(PATIENCE_S)

    def stop(self) -> None:
        """Cut everybody off and end the thread."""
        self.call(self._stopping.set)
        self._thread.join(PATIENCE_S)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns, called in the server's thread."""

        async def called() -> T:
            return function(*arguments)

        future = asyncio.run_coroutine_threadsafe(called(), self._loop)
        return future.result(PATIENCE_S)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        servers = [
            await asyncio.start_server(
                self._counted(handle), HOST, 0, ssl=self._context
            )
            for handle in (self._serve, self._http)
        ]
        self.port, self.http_port = [
            server.sockets[0].getsockname()[1] for server in servers
        ]
        self._ready.set()
        await self._stopping.wait()
        for server in servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _counted(self, handle: Callable[..., Any]) -> Callable[..., Any]:
        async def handled(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            task = asyncio.current_task()
            assert task
            self._tasks.add(task)
            try:
                with suppress(*_GONE):  # clients go when they like
                    await handle(reader, writer)
            except Exception as error:
                self._cloud.fails(error)
            finally:
                writer.transport.abort()
                with suppress(OSError):
                    await writer.wait_closed()  # or the loop ends before the socket
                self._tasks.discard(task)

        return handled

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        stream = StreamReaderAdapter(reader)
        client = Client(await ConnectPacket.from_stream(stream), writer)
        code = self._cloud.connects(client)
        client.send(ConnackPacket.build(0, code))
        await writer.drain()
        if code:
            return
        goodbye = False
        try:
            self._cloud.connected(client)
            goodbye = await self._listen(stream, client)
        finally:
            self._cloud.leaves(client, goodbye)

    async def _listen(self, stream: StreamReaderAdapter, client: Client) -> bool:
        """Take packets until the connection ends; True if with a DISCONNECT."""
        patience = client.keep_alive * 1.5 or None  # MQTT 3.1.1 §3.1.2.10
        while True:
            async with asyncio.timeout(patience):
                header = await MQTTFixedHeader.from_stream(stream)
                if header is None:
                    return False
                kind = packet_class(header)
                packet = await kind.from_stream(stream, fixed_header=header)
            if kind is DisconnectPacket:
                return True
            self._take(client, kind, packet)

    def _take(self, client: Client, kind: type, packet: Any) -> None:
        if kind is PingReqPacket:
            client.send(PingRespPacket.build())
        elif kind is PubackPacket:
            client.unacknowledged.discard(packet.variable_header.packet_id)
        elif kind is SubscribePacket:
            codes = [self._subscribe(client, *each) for each in packet.payload.topics]
            number = packet.variable_header.packet_id
            client.send(SubackPacket.build(number, codes))
        elif kind is PublishPacket:
            acknowledgement = [PubackPacket.build(packet.packet_id)] * packet.qos
            if self.acknowledge_last:
                self._cloud.receives(client, packet.topic_name, packet.data)
            for each in acknowledgement:
                client.send(each)
            if not self.acknowledge_last:
                self._cloud.receives(client, packet.topic_name, packet.data)
        else:
            raise MQTTError(f"a client sent {kind.__name__}")

    def _subscribe(self, client: Client, topic_filter: str, qos: int) -> int:
        if not self._cloud.subscribes(client, topic_filter):
            return 0x80
        client.filters.append(topic_filter)
        return min(qos, 1)


def covers(topic_filter: str, topic: str) -> bool:
    """Whether a topic filter matches a topic (MQTT 3.1.1 §4.7)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        del levels[len(wanted) :]
    return len(wanted) == len(levels) and all(
        each in (level, "+") for each, level in zip(wanted, levels, strict=True)
    )

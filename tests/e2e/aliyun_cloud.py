"""A stand-in for Alibaba's IoT cloud, which shares no code with the component.

It is stricter than the cloud: what a device sends amiss and the cloud would let pass is
among its complaints. Faults are set by attributes.
"""

import asyncio
import contextlib
import itertools
import json
import secrets
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any
from urllib.parse import parse_qsl

from tests.e2e import aliyun_alink
from tests.e2e.aliyun_registry import OK, Device, Refusal, Registry
from tests.e2e.mqtt_wire import Client, Server
from tests.patience import PATIENCE_S


class Cloud:
    """What becomes of devices; `say(event, detail)` is told of all of it."""

    def __init__(
        self, context: ssl.SSLContext, say: Callable[[str, str], None]
    ) -> None:
        self.registry = Registry()
        self.server = Server(self, context, self._http)
        self.complaints: list[str] = []
        self.strays: list[str] = []  # topics that are not the publisher's
        self.lost: Counter[str] = Counter()  # how many replies get lost, by topic's end
        self.refused: dict[str, int] = {}  # the code of replies, by topic's end
        self.share = 1.0  # of the answer to a registration; if not all, it hangs up
        self.forged: list[bytes] = []  # sent as answers to registrations, one by one
        self._say = say
        self._asked: dict[str, Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)

    def tell(self, device: Device, name: str, message: bytes) -> None:
        """Send any bytes on the device's topic that ends in `name`."""
        self.server.call(self._send, device, device.prefix + name, message)

    def push(self, device: Device, message: bytes) -> None:
        """Send the device's application something."""
        self.server.call(self._send, device, device.custom + "get", message)

    def ask(self, device: Device, name: str, params: Any) -> tuple[int, Any]:
        """Ask the device, return (code, data) of its reply."""
        number = str(next(self._numbers))
        waiting: Future[Any] = Future()
        self._asked[number] = waiting
        method = name.replace("/", ".")
        request = {"id": number, "version": "1.0", "method": method, "params": params}
        self.tell(device, name, json.dumps(request).encode())
        reply = waiting.result(PATIENCE_S)
        return reply["code"], reply["data"]

    def cut(self, device: Device) -> None:
        """Break the device's connection."""
        assert device.online
        self.server.call(device.online.cut)

    # What the server calls.

    def connects(self, client: Client) -> int:
        """Judge a CONNECT: by a secret, by a token, or to register."""
        try:
            self.registry.judge(client)
        except Refusal as refusal:
            self._say("refuses", str(refusal))
            return refusal.code
        return 0

    def connected(self, client: Client) -> None:
        """A device is online, or is given what it has registered for."""
        device = client.device
        if client.purpose:
            self._answer_registration(client)
            return
        if device.online:
            device.online.cut()  # a device has one connection; the newest counts
        device.online = client
        device.active = True
        self._say("connects", device.name)

    def subscribes(self, client: Client, topic_filter: str) -> bool:
        """To its own topics a device may."""
        return bool(client.device.owns(topic_filter))

    def receives(self, client: Client, topic: str, message: bytes) -> None:
        """Answer a request, or take the reply to one of ours."""
        device = client.device
        if not device.owns(topic):
            self.strays.append(topic)
        name = topic.removeprefix(device.prefix)
        if name == topic:
            self._say("receives", topic)
            return
        try:
            members = aliyun_alink.members_of(name, message)
        except ValueError as error:
            self._complain(f"{name}: {error} in {message!r}")
            return
        if name.endswith("_reply"):
            self._say(f"is answered {name}", str(members["code"]))
            if waiting := self._asked.pop(members["id"], None):
                waiting.set_result(members)
            else:
                self._complain(f"{name} answers nothing that was asked")
        else:
            self._answer(device, name, members)

    def leaves(self, client: Client, goodbye: bool) -> None:
        """A connection is over."""
        device = client.device
        if device.online is client:
            device.online = None
        event = "loses" if not client.purpose else "ends registration of"
        self._say(event, device.name + " by goodbye" * goodbye)

    def fails(self, error: Exception) -> None:
        """Somebody has a mistake in it; better said than lost in a thread."""
        self._complain(repr(error))

    # Registration.

    def _answer_registration(self, client: Client) -> None:
        device = client.device
        answer = {"productKey": device.product.key, "deviceName": device.name}
        answer |= self._given(device, client.purpose)
        message = json.dumps(answer).encode()
        if self.forged:
            message = self.forged.pop(0)
        client.publish(f"/ext/{client.purpose}", message, self.share)
        if self.share < 1:
            client.hang_up()
        self._say("registers", f"{device.name}, {client.purpose}")

    def _given(self, device: Device, purpose: str) -> dict[str, str]:
        """A new secret or token; it takes the place of the one before."""
        device.secrets.append(secrets.token_hex(16))
        if purpose != "regnwl":
            return {"deviceSecret": device.secret}
        device.client_id = secrets.token_hex(8)
        return {"clientId": device.client_id, "deviceToken": device.secret}

    async def _http(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """POST /auth/register/device, a form."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        line, *lines = head.strip().split("\r\n")
        headers = dict(each.split(": ", 1) for each in lines)
        body = await reader.readexactly(int(headers["content-length"]))
        if line != "post /auth/register/device http/1.1":
            self._complain(line)
        if headers["content-type"] != "application/x-www-form-urlencoded":
            self._complain(headers["content-type"])
        try:
            fields = dict(parse_qsl(body.decode(), strict_parsing=True))
            device = self.registry.register(fields)
            data = {"productKey": device.product.key, "deviceName": device.name}
            data |= self._given(device, "https")
            reply: dict[str, Any] = {"code": OK, "data": data, "message": "success"}
            self._say("registers", f"{device.name}, https")
        except Refusal as refusal:
            reply = {"code": refusal.code, "message": str(refusal)}
            self._say("refuses", str(refusal))
        text = json.dumps(reply)
        writer.write(
            f"HTTP/1.1 200\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
        )
        await writer.drain()
        await reader.read()  # until the device is done

    # Alink.

    def _answer(self, device: Device, name: str, members: dict[str, Any]) -> None:
        reply = {"id": members["id"], "code": OK, "data": {}, "message": "success"}
        try:
            if name in self.refused:
                raise Refusal(self.refused[name], "by order")
            reply["data"] = aliyun_alink.handle(
                self.registry, device, name, members["params"]
            )
        except Refusal as refusal:
            reply |= {"code": refusal.code, "message": str(refusal)}
        lost = self.lost[name] > 0
        self.lost[name] -= lost
        if not lost:
            topic = f"{device.prefix}{name}_reply"
            self._send(device, topic, json.dumps(reply).encode())
        code = "lost" if lost else reply["code"]
        self._say(f"hears {name}", f"{code}, {members['params']}")

    def _send(self, device: Device, topic: str, message: bytes) -> None:
        client = device.online
        assert client, f"{device.name} is not online"
        # With _ss=1 in its client id a device has the cloud subscribe for it.
        if not client.wants(topic) and "_ss=1" not in client.id:
            self._complain(f"{device.name} has not subscribed to {topic}")
        client.publish(topic, message)

    def _complain(self, what: str) -> None:
        self.complaints.append(what)
        self._say("complains", what)


@contextlib.contextmanager
def running(
    context: ssl.SSLContext, say: Callable[[str, str], None]
) -> Iterator[Cloud]:
    """A cloud that runs; at the end it must have had nothing to complain of."""
    cloud = Cloud(context, say)
    cloud.server.start()
    try:
        yield cloud
    finally:
        cloud.server.stop()
    assert not cloud.complaints, "\n".join(cloud.complaints)

"""A stand-in for Gizwits' clouds, old and new, which shares no code with the component.

hashlib and `cryptography` judge what boards sign and encrypt. It is stricter than the
cloud: what a board sends amiss is among its complaints.
"""

import asyncio
import hashlib
import re
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.e2e.mqtt_wire import HOST, Client, Server

KEY = "aaaaaaaabbbbccccddddeeeeeeeeeeee"
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
_USER = re.compile(r"(\w+)\|signmethod=sha256,signnonce=([A-Z]{10})")
_ONBOARDING = re.compile(
    r"is_reset=1&random_code=[0-9a-f]{32}&lan_proto_ver=v5\.0&user_id="
)
_REFUSED = 4


@dataclass
class Device:
    """One that the cloud knows; the secret is an auth_key, or a passcode."""

    mac: str
    did: str
    secret: str
    nonces: set[str] = field(default_factory=set)
    online: Client | None = None


class Cloud:
    """Both clouds; `say(event, detail)` is told of what happens."""

    def __init__(
        self, context: ssl.SSLContext, say: Callable[[str, str], None]
    ) -> None:
        self.server = Server(self, context, self._http)
        self.devices: dict[str, Device] = {}  # by did
        self.complaints: list[str] = []
        self.received: list[tuple[str, bytes]] = []
        self.filled = True  # whether encrypted replies end in filling
        self._say = say

    def make(self, mac: str) -> Device:
        """A device with an auth_key, as if it had been authorised beforehand."""
        device = Device(mac, secrets.token_urlsafe(6).replace("-", "a"), "")
        device.secret = secrets.token_hex(16)
        self.devices[device.did] = device
        return device

    def tell(self, device: Device, client: str, message: bytes) -> None:
        """Send any bytes as the app `client`."""
        assert device.online
        topic = f"app2dev/{device.did}/{client}"
        self.server.call(device.online.publish, topic, message)

    # What the server calls.

    def connects(self, client: Client) -> int:
        """Judge a CONNECT: by a token under the auth_key, or by the passcode."""
        device = self.devices.get(client.id)
        if device is None:
            return _REFUSED
        if found := _USER.fullmatch(client.user):
            did, nonce = found.groups()
            text = f"{KEY},{device.mac},{device.secret},{nonce}"
            right = client.password == hashlib.sha256(text.encode()).hexdigest()
            fresh = nonce not in device.nonces
            device.nonces.add(nonce)
        else:
            did, right, fresh = client.user, client.password == device.secret, True
        if not (did == client.id and right and fresh):
            self._say("refuses", client.id)
            return _REFUSED
        client.device = device
        return 0

    def connected(self, client: Client) -> None:
        client.device.online = client
        self._say("connects", client.device.did)

    def subscribes(self, client: Client, topic_filter: str) -> bool:
        return topic_filter == f"app2dev/{client.device.did}/#"

    def receives(self, client: Client, topic: str, message: bytes) -> None:
        self.received.append((topic, message))
        self._say("receives", topic)

    def leaves(self, client: Client, goodbye: bool) -> None:
        client.device.online = None

    def fails(self, error: Exception) -> None:
        self.complaints.append(repr(error))

    async def _http(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = [line.split(": ", 1) for line in head[1:] if line]
            headers = {name.lower(): value for name, value in pairs}
            size = int(headers.get("content-length", 0))
            body = (await reader.readexactly(size)).decode()
            verb, path, _ = head[0].split(" ")
            try:
                status, reply = self._answer(verb, path, headers, body)
            except AssertionError as error:
                self.complaints.append(f"{head[0]}: {error!r}")
                status, reply = "400 Bad Request", ""
            text = f"HTTP/1.1 {status}\r\nContent-Length: {len(reply)}\r\n\r\n{reply}"
            writer.write(text.encode())
            await writer.drain()

    def _answer(
        self, verb: str, path: str, headers: dict[str, str], body: str
    ) -> tuple[str, str]:
        if path.startswith(f"/dev/{KEY}/device"):
            return self._classic(verb, path, headers, body)
        assert headers["x-sign-method"] == "sha256"
        assert re.fullmatch("[0-9a-f]{32}", headers["x-trace-id"])
        nonce, token = headers["x-sign-nonce"], headers["x-sign-token"]
        assert re.fullmatch("[A-Z]{10}", nonce)
        if found := re.fullmatch(r"/v2/devices/(\w+)/bootstrap", path):
            assert (verb, body) == ("GET", "")
            device = self.devices.get(found[1])
            key = device and device.secret
        else:
            found = re.fullmatch(rf"/v2/products/{KEY}/devices/(\w+)/network", path)
            assert found, path
            assert verb == "POST"
            assert headers["content-type"] == "text/plain"
            assert _ONBOARDING.fullmatch(body)
            macs = {each.mac: each for each in self.devices.values()}
            device, key = macs.get(found[1]), SECRET
        if device is None:
            return "404 Not Found", '{"error_code": 9014}'
        text = f"{KEY},{device.mac},{key},{nonce}"
        if token != hashlib.sha256(text.encode()).hexdigest():
            return "401 Unauthorized", ""
        if body:
            text = f"{device.secret},{nonce},{body}"
            assert headers["x-sign-etag"] == hashlib.sha256(text.encode()).hexdigest()
        self._say("tells", device.did)
        known = f"&device_id={device.did}" if body else ""
        return "200 OK", (
            f"address={HOST}&port={self.server.port}&restart_time=1&tz_offset=8{known}"
        )

    def _classic(
        self, verb: str, path: str, headers: dict[str, str], body: str
    ) -> tuple[str, str]:
        if verb == "GET":
            did = self._decrypted(path.partition("?did=")[2])
            known = did in self.devices
            place = f"host={HOST}&port={self.server.port}&server_ts=1"
            return ("200 OK", self._encrypted(place)) if known else ("404 x", "")
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        ((name, data),) = parse_qsl(body, strict_parsing=True)
        assert name == "data"
        form = dict(parse_qsl(self._decrypted(data), strict_parsing=True))
        assert form.keys() == {"mac", "passcode", "type"}
        assert form["type"] == "normal"
        assert re.fullmatch("[A-Z]{10}", form["passcode"])
        macs = {each.mac: each for each in self.devices.values()}
        device = macs.get(form["mac"]) or self.make(form["mac"])
        device.secret = form["passcode"]
        self._say("registers", device.did)
        return "201 Created", self._encrypted(f"did={device.did}")

    def _encrypted(self, text: str) -> str:
        data = text.encode()
        if self.filled or len(data) % 16:
            padder = padding.PKCS7(128).padder()
            data = padder.update(data) + padder.finalize()
        encryptor = _aes().encryptor()
        return (encryptor.update(data) + encryptor.finalize()).hex()

    def _decrypted(self, text: str) -> str:
        decryptor = _aes().decryptor()
        data = decryptor.update(bytes.fromhex(text)) + decryptor.finalize()
        unpadder = padding.PKCS7(128).unpadder()
        return (unpadder.update(data) + unpadder.finalize()).decode()


def _aes() -> Cipher[modes.ECB]:
    return Cipher(algorithms.AES(bytes.fromhex(SECRET)), modes.ECB())

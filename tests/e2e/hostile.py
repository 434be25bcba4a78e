"""A server that misbehaves by script, and the certificates to be wrong with.

Each scenario is a path: `Server` reads the request, looks the path up in the catalogue
and lets the scenario do what it likes with the connection. What happens before there
is a path, in the handshake, has a listener of its own.
"""

import contextlib
import datetime
import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from point.credentials import DeviceConfig

Answer = Callable[[socket.socket], None]
LIMIT_S = 30  # no connection outlives this, whatever a scenario does


@dataclass
class Seen:
    """What came to a server: connections, and bytes that belong to the application."""

    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def application_bytes(self) -> bytes:
        return b"".join(self.requests)


class Listener:
    """A TCP port on the loopback whose connections are handled in threads."""

    def __init__(self, handle: Callable[[socket.socket, Seen], None]) -> None:
        self._handle = handle
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self.seen = Seen()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            sock.settimeout(LIMIT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.seen.connections += 1
            self._open.add(sock)
            threading.Thread(target=self._serve, args=[sock], daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            # The peer may go whenever it likes; that is what these tests are about.
            with contextlib.suppress(OSError), sock:
                self._handle(sock, self.seen)
        finally:
            self._open.discard(sock)

    def close(self) -> None:
        """Stop accepting, and cut what is still open."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def listening(handle: Callable[[socket.socket, Seen], None]) -> Iterator[Listener]:
    """A Listener, closed at the end."""
    listener = Listener(handle)
    try:
        yield listener
    finally:
        listener.close()


def read_request(sock: socket.socket, seen: Seen) -> bytes:
    """Read one whole HTTP request, return its path; b"" if the peer left before."""
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        if end:
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            if len(body) >= length:
                seen.requests.append(received)
                return head.split()[1]
        more = sock.recv(65536)
        if not more:
            if received:
                seen.requests.append(received)
            return b""
        received += more


def over_tls(
    context: ssl.SSLContext, answers: dict[bytes, Answer]
) -> Callable[[socket.socket, Seen], None]:
    """A handler: the handshake, one request, and then the answer for its path."""

    def handle(sock: socket.socket, seen: Seen) -> None:
        with context.wrap_socket(sock, server_side=True) as secured:
            path = read_request(secured, seen)
            if path in answers:
                answers[path](secured)

    return handle


def over_tcp(answer: Answer) -> Callable[[socket.socket, Seen], None]:
    """A handler without TLS: what comes first is written down, then the answer."""

    def handle(sock: socket.socket, seen: Seen) -> None:
        seen.requests.append(sock.recv(65536))
        answer(sock)

    return handle


# What a scenario can do with a connection.


def saying(*parts: bytes) -> Answer:
    """Send the parts and close."""

    def answer(sock: socket.socket) -> None:
        for part in parts:
            sock.sendall(part)

    return answer


def parting(first: bytes) -> Answer:
    """Send `first`, then close_notify, and leave it to the peer to close the socket."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(first)
        assert isinstance(sock, ssl.SSLSocket)
        sock.unwrap()

    return answer


def endless(first: bytes, again: bytes, most: int = 100_000_000) -> Answer:
    """Send `first` and then `again` and again, `most` bytes in all."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(first)
        block = again * (65536 // len(again) + 1)
        for _ in range(most // len(block)):
            sock.sendall(block)

    return answer


def dripping(first: bytes, slowly: bytes, pause_s: float = 0.2) -> Answer:
    """Send `first` at once and the rest byte by byte."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(first)
        for byte in slowly:
            sock.sendall(bytes([byte]))
            time.sleep(pause_s)

    return answer


def silent(sock: socket.socket) -> None:
    """Say nothing until the peer has enough."""
    while sock.recv(65536):
        pass


def silent_after(first: bytes) -> Answer:
    """Send `first`, then nothing."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(first)
        silent(sock)

    return answer


def resetting(first: bytes = b"") -> Answer:
    """Send `first`, then RST instead of FIN."""

    def answer(sock: socket.socket) -> None:
        if first:
            sock.sendall(first)
            time.sleep(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket.close(sock)

    return answer


def dripping_handshake(
    context: ssl.SSLContext,
) -> Callable[[socket.socket, Seen], None]:
    """A handler: the true answer to a ClientHello, but a byte at a time."""

    def handle(sock: socket.socket, seen: Seen) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(sock.recv(65536))
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        dripping(b"", outgoing.read())(sock)

    return handle


def old_tls(minor: int) -> Answer:
    """The ServerHello of a server that only knows TLS 1.0 (minor 1) or 1.1 (2)."""
    body = struct.pack(">BB", 3, minor) + os.urandom(32) + b"\0" + b"\x00\x2f" + b"\0"
    hello = b"\x02" + len(body).to_bytes(3, "big") + body
    return saying(struct.pack(">BBBH", 22, 3, minor, len(hello)) + hello)


# Certificates.


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """What a server with this certificate runs with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def der(authority: trustme.CA) -> bytes:
    """The authority's certificate as boards keep it."""
    return ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())


def self_signed(name: str) -> trustme.LeafCert:
    """A certificate for `name` that nobody but itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .sign(key, hashes.SHA256())
    )
    return trustme.LeafCert(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
        [],
    )


# HTTP.


def config() -> "DeviceConfig":
    """A reply's `result` with all that the seed names."""
    return {
        "device": {
            "productKey": "a1B2c3D4e5F",
            "deviceName": "board-0001",
            "deviceSecret": "0123456789abcdef0123456789abcdef",
        },
        "connect": {"qos": 1, "host": "mqtt.example.com", "cleanSession": 1},
    }


def reply(code: object = "00000", **changed: object) -> bytes:
    """A reply body. `productKey="x"` replaces a member, None removes it."""
    result: Any = config()
    for name, value in changed.items():
        for part in (result, result["device"], result["connect"]):
            if name in part:
                part[name] = value
                if value is None:
                    del part[name]
    return json.dumps({"code": code, "result": result}).encode()


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole reply, Content-Length included."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body

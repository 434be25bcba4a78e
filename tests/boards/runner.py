"""Run contract.py on one board's board.py, with all servers that it needs.

A board with shims: run("micropython", "firmware/x", servers, folder, shims=[…]).
"""

import contextlib
import hashlib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import trustme

from pointctl.broker import find_mosquitto
from tests.brokers import PRODUCT, Room, embedded_room, mosquitto_room
from tests.e2e import hostile
from tests.e2e.hostile import Listener, Seen
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, UMQTT, micropython, require

RUNTIMES = ("micropython", "cpython")
IMEI = "490154203237518"
FACTS = 41
WELL = f"{FACTS} passed, 0 failed, 0 skipped"


def echo(sock: socket.socket, seen: Seen) -> None:
    """Send back what is received, and record it."""
    while data := sock.recv(4096):
        seen.requests.append(data)
        sock.sendall(data)


def over_tls(certificate: trustme.LeafCert):
    """Return a handler that does the handshake, then echoes."""
    context = hostile.server_context(certificate)

    def handle(sock: socket.socket, seen: Seen) -> None:
        with context.wrap_socket(sock, server_side=True) as secured:
            echo(secured, seen)

    return handle


def cut(sock: socket.socket, seen: Seen) -> None:
    """Close in the middle of the handshake."""
    sock.recv(4096)


def bye(sock: socket.socket, seen: Seen) -> None:
    """Send three bytes and close."""
    sock.sendall(b"bye")


def _packet(sock: socket.socket) -> bytes:
    """Read one MQTT packet of less than 128 bytes, b"" at the end."""
    packet = b""
    while len(packet) < 2 or len(packet) < 2 + packet[1]:
        wanted = 2 if len(packet) < 2 else 2 + packet[1]
        more = sock.recv(wanted - len(packet))
        if not more:
            return b""
        packet += more
    return packet


def odd_broker(sock: socket.socket, seen: Seen) -> None:
    """Serve MQTT in unusual ways that the standard allows.

    It answers CONNECT with the code that the client id ends in, sends a message before
    each acknowledgement, and closes at a subscription to the topic "leave".
    """
    while packet := _packet(sock):
        kind = packet[0] >> 4
        if kind == 1:
            length = packet[13]
            sock.sendall(b"\x20\x02\0" + bytes([packet[13 + length] - 48]))
        elif kind == 8:
            if b"leave" in packet:
                return
            sock.sendall(b"\x32\x0b\0\x05first\x12\x34hi" + b"\x90\x03" + packet[2:4])
            sock.sendall(b"\1")
        elif kind == 3:
            seen.requests.append(packet)
            place = 4 + packet[3]
            sock.sendall(b"\x30\x09\0\x05firstho")
            if packet[0] & 6:
                sock.sendall(b"\x40\x02" + packet[place : place + 2])
        elif kind == 4:
            seen.requests.append(packet)
        elif kind == 12:
            sock.sendall(b"\xd0\0")


@dataclass
class Servers:
    """The environment of contract.py, and the servers that must receive nothing."""

    environment: dict[str, str]
    strangers: list[Listener]

    def leaked(self) -> bytes:
        """Return what servers have received that no board may trust."""
        return b"".join(server.seen.application_bytes for server in self.strangers)


def _pin(pem: bytes) -> str:
    """Return the SHA-256 of a certificate, as in settings.json."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[Room]:
    """Run a real broker: mosquitto if it is installed, else the embedded one."""
    with (mosquitto_room if find_mosquitto() else embedded_room)(folder) as room:
        yield room


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Servers]:
    """Run all servers, on the loopback; files go to `folder`."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    stranger = trustme.CA(key_type=trustme.KeyType.ECDSA)
    ours = authority.issue_cert("localhost", "127.0.0.1")
    handlers = {
        "ECHO_PORT": echo,
        "SILENT_PORT": hostile.over_tcp(hostile.silent),
        "CUT_PORT": cut,
        "BYE_PORT": bye,
        "ODD_BROKER_PORT": odd_broker,
        "TLS_PORT": over_tls(ours),
        "STRANGER_PORT": over_tls(stranger.issue_cert("localhost", "127.0.0.1")),
        "NAME_PORT": over_tls(authority.issue_cert("example.com")),
    }
    ca = folder / "servers.der"
    ca.write_bytes(hostile.der(authority))
    with contextlib.ExitStack() as stack:
        found = {
            name: stack.enter_context(hostile.listening(handle))
            for name, handle in handlers.items()
        }
        nobody = stack.enter_context(socket.socket())
        nobody.bind(("127.0.0.1", 0))
        room = stack.enter_context(broker(folder))
        broker_ca = folder / "broker.der"
        broker_ca.write_bytes(
            ssl.PEM_cert_to_DER_cert(room.ca_file.read_text()),
        )
        environment = {name: str(server.port) for name, server in found.items()}
        environment |= {
            "CLOSED_PORT": str(nobody.getsockname()[1]),
            "CA": str(ca),
            "PIN": _pin(ours.cert_chain_pems[0].bytes()),
            "BROKER_PORT": str(room.broker.port),
            "BROKER_CA": str(broker_ca),
            "BROKER_PIN": _pin((folder / "server.pem").read_bytes()),
            "BROKER_USER": f"dev1&{PRODUCT}",
            "BROKER_PASSWORD": room.secrets["dev1"],
            "BROKER_TOPIC": f"{PRODUCT}/dev1/",
        }
        yield Servers(environment, [found["STRANGER_PORT"], found["NAME_PORT"]])


def run(
    runtime: str,
    board: str | Path,
    servers: Servers,
    flash: Path,
    *,
    imei: str | None = IMEI,
    claim_key: str = "",
    shims: Iterable[Path] = (),
    prelude: str = "",
    more: Mapping[str, str] | None = None,
    tests: str = "tests/boards/contract.py",
) -> "subprocess.CompletedProcess[str]":
    """Run `tests` on `runtime` with the board.py in the folder `board`, and wait.

    `flash` becomes its current folder and its board.DIR. `claim_key` describes the key
    in it: "", "good" or "bad". `shims` are folders with the vendor's modules, and
    `prelude` is a module to import before them; `more` is added to the environment.
    """
    require("umqtt.simple", UMQTT, "run make test")
    program = sys.executable if runtime == "cpython" else micropython()
    environment = os.environ | servers.environment | dict(more or {})
    paths = ":".join([str(ROOT / board), *map(str, shims)])
    environment |= {"BOARD_PATH": paths, "FLASH": str(flash), "PRELUDE": prelude}
    for name, value in (("POINTACCESS_IMEI", imei), ("CLAIM_KEY", claim_key or None)):
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return subprocess.run(
        [program, ROOT / "tests/run.py", ROOT / tests],
        cwd=flash,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def holds(done: "subprocess.CompletedProcess[str]", servers: Servers) -> None:
    """Check that every fact holds, and that untrusted servers received nothing."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == WELL
    assert servers.leaked() == b""

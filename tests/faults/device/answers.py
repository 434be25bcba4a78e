"""Answers that no honest server gives, made at random by a small grammar.

Everything draws from `random`, so that a seed gives the same answers again. An answer
is what comes over the wire: pairs of (ms of silence before it, bytes), and how it ends.
"""

import json
import random

import fakes

from point.host.protocol_server import encode_sealed_reply
from point.seal import hexed

FIN = "fin"
RESET = "reset"
STALL = "stall"

_NAMES = (
    "code",
    "result",
    "sealed",
    "retryAfter",
    "device",
    "connect",
    "productKey",
    "productSecret",
    "deviceName",
    "deviceSecret",
    "qos",
    "host",
    "cleanSession",
    "port",
    "ssl",
    "keepAlive",
    "clientId",
    "auth",
    "region",
    "instanceId",
)
_CODES = ("00000", "40101", "40102", "40301", "42901", "50001", "77777", "99999", "")


def choice(things):
    return things[random.randrange(len(things))]


def once_in(count):
    return random.randrange(count) == 0


def noise(most):
    return bytes([random.getrandbits(8) for _ in range(random.randrange(most + 1))])


def text():
    return choice(
        (
            "",
            "x",
            ".",
            "..",
            "../../boot.py",
            "a b",
            "a\r\nb: c",
            "\x00",
            "\u00e9\u4e2d",
            "x" * random.randrange(300),
            "0" * 32,
            choice(_CODES),
        )
    )


def scalar():
    return choice(
        (None, True, False, 0, 1, -1, 65536, 1 << 40, 1e99, -0.5, text(), text())
    )


def value(depth=3):
    kind = random.randrange(4 if depth else 2)
    if kind < 2:
        return scalar()
    if kind == 2:
        return [value(depth - 1) for _ in range(random.randrange(4))]
    return {choice(_NAMES): value(depth - 1) for _ in range(random.randrange(6))}


def spoil(thing):
    """Change one member somewhere in `thing`, a dict, or take it away."""
    name = choice(list(thing.keys()))
    if type(thing[name]) is dict and thing[name] and not once_in(4):
        spoil(thing[name])
    elif once_in(3):
        del thing[name]
    else:
        thing[name] = value()


def config():
    """A device_config, right more often than not."""
    made = fakes.config()
    made["device"]["deviceSecret"] = hexed(bytes([random.getrandbits(8)] * 16))
    if once_in(3):
        made["connect"].update({"port": 8883, "ssl": True, "keepAlive": 60})
    for _ in range(choice((0, 0, 0, 1, 1, 2))):
        spoil(made)
    return made


def document(key, request_id):
    """A reply's body before anybody has broken its bytes."""
    made = config()
    if key and not once_in(6):
        key = key if not once_in(8) else b"another board's key"
        request_id = request_id if not once_in(8) else "0" * 32
        body = encode_sealed_reply(made, key, request_id, bytes(16))
        if once_in(6):
            body = body.replace(b'"sealed": "', b'"sealed": "' + choice((b"zz", b"0")))
        return body
    reply = {"code": "00000", "result": made}
    for _ in range(choice((0, 0, 1, 2))):
        reply[choice(("code", "result", "sealed", "retryAfter"))] = value()
    if once_in(5):
        reply = {"code": choice(_CODES), "retryAfter": value(1)}
    return json.dumps(value() if once_in(9) else reply).encode()


def broken(data):
    """The bytes with a few faults in them, or none."""
    for _ in range(choice((0, 0, 0, 1, 1, 2, 4))):
        place = random.randrange(len(data) + 1)
        other = random.randrange(len(data) + 1)
        data = choice(
            (
                data[:place],
                data[:place] + noise(8) + data[place:],
                data[:place]
                + choice((b",", b":", b"{", b"]", b'"', b"\\", b"0"))
                + data[place + 1 :],
                data[:place] + data[min(place, other) : other] + data[place:],
                data[other:] + data[:other],
                data[:place] + b"[" * random.randrange(400),
            )
        )
    return data


def head(length):
    """A reply's head; `length` is the body's."""
    if once_in(2):
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length
    lines = [
        choice(
            (b"HTTP/1.1 200 OK",) * 9
            + (
                b"HTTP/1.0 200 OK",
                b"HTTP/1.1 200",
                b"HTTP/1.1 429 Slow down",
                b"HTTP/1.1 302 Found",
                b"HTTP/1.1 500 No",
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
                b"HTTP/2 200",
                b"HTTP/1.1 -20 OK",
                b"ICY 200 OK",
                b"",
            )
        )
    ]
    sizes = (b"%d" % length,) * 9 + (
        b"0", b"-1", b"+%d" % length, b"1e3", b"", b"9" * 30, b"0x10", b"4097",
        b"%d" % random.randrange(5000), b"%d, %d" % (length, length),
    )  # fmt: skip
    if not once_in(9):
        lines.append(b"Content-Length: " + choice(sizes))
    if once_in(9):
        lines.append(b"Transfer-Encoding: " + choice((b"chunked", b"gzip", b"CHUNKED")))
    for _ in range(choice((0, 0, 1, 3, 40))):
        lines.append(
            choice((
                b"Location: http://evil.example/",
                b"Connection: close",
                b"Set-Cookie: " + b"x" * random.randrange(200),
                b"Content-Length: 5",
                b"no colon",
                b": no name",
                b"X: " + noise(40),
                b" folded",
            ))
        )  # fmt: skip
    return choice((b"\r\n",) * 9 + (b"\n", b"\r")).join(lines + [b"", b""])


def chunks(body):
    """The body in chunks, some of them wrong."""
    made = b""
    while body:
        size = random.randrange(1, 200)
        said = len(body[:size]) if not once_in(20) else random.getrandbits(16)
        made += b"%x%s\r\n" % (said, choice((b"", b"", b";a=b"))) + body[:size]
        made += b"\r\n" if not once_in(20) else noise(2)
        body = body[size:]
    return made + choice((b"0\r\n\r\n",) * 5 + (b"0\r\n", b"", b"00000\r\n\r\n"))


def answer(key=None, request_id=None):
    """([(silence in ms, bytes)], how it ends)."""
    body = document(key, request_id)
    if once_in(2):
        body = broken(body)
    top = head(len(body))
    sent = chunks(body) if b"hunked" in top or b"CHUNKED" in top else body
    wire = top + sent
    if once_in(6):
        wire = broken(wire)
    if once_in(20):
        wire = noise(3000)
    if once_in(30):
        wire += b"x" * 9000
    parts = []
    size = choice((1 << 20, 1 << 20, 600, 37, 1))
    for at in range(0, len(wire), size):
        parts.append((choice((0, 0, 0, 1, 20, 400, 2500)), wire[at : at + size]))
    return parts, choice((FIN, STALL, RESET))

"""No answer of a server, however broken, gets more than a clean code out of a board.

Every scenario runs on the real MicroPython and on CPython, through real TLS: one
process for each runtime and lane, which shows too that no scenario harms the next.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e import hostile
from tests.e2e.conftest import RUNTIMES, Board, outcome
from tests.e2e.hostile import (
    Answer,
    dripping,
    endless,
    http,
    over_tcp,
    over_tls,
    parting,
    reply,
    resetting,
    saying,
    silent,
    silent_after,
)
from tests.patience import PATIENCE_S

SLOW_S = 1  # the board's deadline where the server never ends
FAST_S = PATIENCE_S  # and where it does: only a board that waits in vain needs it

OK = http(reply())
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Scenario:
    """What the server does, and what the board must say of it."""

    answer: Answer | bytes
    error: str | None
    code: str = "77777"
    slow: bool = False


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def good(answer: Answer | bytes) -> Scenario:
    return Scenario(answer, None, "00000")


def bodies() -> Iterator[tuple[str, Scenario]]:
    """HTTP 200 and a right length, and a body that is not what it should be."""
    whole = reply()
    for name, body, error in (
        ("empty", b"", "MALFORMED"),
        (
            "html",
            b"<!DOCTYPE html><html><body>Please log in</body></html>",
            "MALFORMED",
        ),
        ("list", b'["00000"]', "MALFORMED"),
        ("number", b"0", "MALFORMED"),
        ("null", b"null", "MALFORMED"),
        ("true", b"true", "MALFORMED"),
        ("string", b'"00000"', "MALFORMED"),
        ("binary", bytes(range(256)) * 4, "MALFORMED"),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0", "MALFORMED"),
        ("utf-16", whole.decode().encode("utf-16"), "MALFORMED"),
        ("byte order mark", b"\xef\xbb\xbf" + whole, "MALFORMED"),
        ("two documents", whole + whole, "MALFORMED"),
        ("no colon", whole.replace(b'"code":', b'"code"'), "MALFORMED"),
        ("comma at the end", whole[:-1] + b",}", "MALFORMED"),
        ("single quotes", whole.replace(b'"', b"'"), "MALFORMED"),
        ("NaN", b'{"code": NaN}', "MALFORMED"),
        ("deep", b"[" * 2000 + b"]" * 2000, "MALFORMED"),
        ("deep in a member", b'{"code":"00000","x":' + b"[" * 9, "MALFORMED"),
        ("no result", b'{"code":"00000"}', "FIELD"),
        ("null result", b'{"code":"00000","result":null}', "FIELD"),
        ("list as result", b'{"code":"00000","result":[]}', "FIELD"),
        ("text as result", b'{"code":"00000","result":"x"}', "FIELD"),
        ("empty result", b'{"code":"00000","result":{}}', "FIELD"),
    ):
        yield name, Scenario(http(body), error)
    for tenth in range(1, 10):
        cut = whole[: len(whole) * tenth // 10]
        yield f"cut at {tenth}/10", Scenario(http(cut), "MALFORMED")
    yield "cut by one byte", Scenario(http(whole[:-1]), "MALFORMED")
    yield "no code", Scenario(http(b'{"result":{}}'), "NO_CODE", "99999")
    yield "empty object", Scenario(http(b"{}"), "NO_CODE", "99999")


def members() -> Iterator[tuple[str, Scenario]]:
    """Good JSON that holds what credentials may not."""
    value: object
    for value in (
        0,
        0.0,
        None,
        True,
        False,
        [],
        {},
        "",
        "x" * 33,
        "a b",
        "0\n",
        "../0",
    ):
        name = f"code {json.dumps(value)[:8]}"
        yield name, Scenario(http(reply(value)), "FIELD")
    for name in (
        "device",
        "connect",
        "productKey",
        "deviceName",
        "deviceSecret",
        "host",
    ):
        yield f"no {name}", Scenario(http(reply(**{name: None})), "FIELD")
    for name in ("productKey", "deviceName", "host"):
        for value in (
            "../../etc",
            "..",
            "a/b",
            "a\\b",
            "a#",
            "+",
            "a\0b",
            "a\r\nb",
            "é",
        ):
            scenario = Scenario(http(reply(**{name: value})), "FIELD")
            yield f"{name} {json.dumps(value)}", scenario
    for value in ("", 7, True, [], {}, "a\x1b[2J", "x" * 257):
        scenario = Scenario(http(reply(deviceSecret=value)), "FIELD")
        yield f"deviceSecret {json.dumps(value)[:9]}", scenario
    for name, value in (
        ("productKey", "x" * 65),
        ("deviceName", "x" * 65),
        ("host", "x" * 254),
        ("qos", 2),
        ("qos", -1),
        ("qos", "1"),
        ("qos", 1.0),
        ("qos", True),
        ("cleanSession", 2),
        ("cleanSession", "false"),
        ("cleanSession", []),
        ("device", []),
        ("device", "x"),
        ("connect", []),
        ("connect", 1),
    ):
        scenario = Scenario(http(reply(**{name: value})), "FIELD")
        yield f"{name} {json.dumps(value)[:8]}", scenario


def statuses() -> Iterator[tuple[str, Scenario]]:
    """Status lines that are not 200 OK."""
    for status in (
        "500 Internal Server Error",
        "201 Created",
        "404 Not Found",
        "204 x",
    ):
        scenario = Scenario(http(reply(), status), "HTTP_STATUS")
        yield f"good body with {status[:3]}", scenario
    yield "portal with 511", Scenario(http(b"<html>", "511 x"), "HTTP_STATUS")
    refused = b'{"code":"40301"}'
    for status in ("200 OK", "403 Forbidden", "500 x"):
        scenario = Scenario(http(refused, status), "REFUSED", "40301")
        yield f"refusal with {status[:3]}", scenario
    for status, where in (
        ("301 Moved Permanently", "/redirect%20loop"),
        ("302 Found", "https://127.0.0.1:1/x"),
        ("307 Temporary Redirect", "http://127.0.0.1:1/x"),
        ("308 Permanent Redirect", "//elsewhere.example/x"),
    ):
        answer = http(b"", status, f"Location: {where}")
        yield f"redirect {status[:3]}", Scenario(answer, "HTTP_STATUS")
    for name, line in (
        ("no status", b"HTTP/1.1"),
        ("bad status", b"HTTP/1.1 2OO OK"),
        ("long status", b"HTTP/1.1 0200 OK"),
        ("HTTP/2", b"HTTP/2 200"),
        ("SSH", b"SSH-2.0-OpenSSH_9.2"),
        ("SMTP", b"220 mail.example.com ESMTP"),
        ("blank line", b""),
        ("just JSON", reply()),
        ("TLS in TLS", b"\x16\x03\x03\x00\x02\x02\x00"),
    ):
        yield name, Scenario(line + b"\r\n\r\n" + reply(), "MALFORMED")
    yield "binary garbage", Scenario(bytes(range(11, 256)), "CLOSED")
    yield "endless line", Scenario(endless(b"", b"x"), "TOO_LARGE")


def heads() -> Iterator[tuple[str, Scenario]]:
    """Headers that lie, contradict, or do not end."""
    big = 20_000_000
    yield "20 MB header", Scenario(endless(HEAD + b"X: ", b"y", big), "TOO_LARGE")
    many = endless(HEAD, b"X: y\r\n", 200_000 * 6)
    yield "200,000 headers", Scenario(many, "TOO_LARGE")
    empty = endless(HEAD, b": \r\n", 100_000)
    yield "headers without a name", Scenario(empty, "MALFORMED")
    for length in ("-1", "+5", "0x5", "1_0", "five", "", "5 5", "1e2", "²"):
        head = f"Content-Length: {length}\r\n\r\n".encode()
        yield f"length {length!r}", Scenario(HEAD + head + reply(), "MALFORMED")
    lengths = b"Content-Length: %d\r\nContent-Length: 3\r\n\r\n" % len(reply())
    yield "two lengths", Scenario(HEAD + lengths + reply(), "MALFORMED")
    short = HEAD + b"Content-Length: 20\r\n\r\n" + reply()
    yield "length too short", Scenario(short, "MALFORMED")
    long = HEAD + b"Content-Length: %d\r\n\r\n" % (len(reply()) + 1) + reply()
    yield "length too long", Scenario(long, "CLOSED")
    for size in ("4097", "100000000", "9" * 40):
        head = HEAD + f"Content-Length: {size}\r\n\r\n".encode()
        yield f"length {size[:9]}", Scenario(endless(head, b" "), "TOO_LARGE")
    yield (
        "100 MB without a length",
        Scenario(endless(HEAD + b"\r\n", b" "), "TOO_LARGE"),
    )
    yield "100,000 brackets", Scenario(http(b"[" * 100_000), "TOO_LARGE")
    for coding in ("gzip", "identity", "chunked, chunked"):
        head = HEAD + f"Transfer-Encoding: {coding}\r\n\r\n".encode()
        yield f"coding {coding}", Scenario(head + chunk(reply()), "MALFORMED")


def chunks() -> Iterator[tuple[str, Scenario]]:
    """Chunked bodies that are not."""
    body = reply()
    for name, tail, error in (
        ("endless chunks", b"", "TOO_LARGE"),
        ("size too large", b"1001\r\n", "TOO_LARGE"),
        ("huge size", b"F" * 100 + b"\r\n", "TOO_LARGE"),
        ("size -1", b"-1\r\n" + body, "MALFORMED"),
        ("size 0x", b"0x10\r\n" + body, "MALFORMED"),
        ("size with _", b"1_0\r\n" + body, "MALFORMED"),
        ("size of words", b"all\r\n" + body, "MALFORMED"),
        ("chunk too short", b"5\r\n" + body + b"\r\n", "MALFORMED"),
        ("no last chunk", chunk(body), "CLOSED"),
        ("no last line", chunk(body) + b"0\r\n", "CLOSED"),
        ("chunk cut", b"%x\r\n" % len(body) + body[:-9], "CLOSED"),
    ):
        again = endless(CHUNKED, chunk(b" "), 1_000_000)
        answer = CHUNKED + tail if tail else again
        yield name, Scenario(answer, error)


def closings() -> Iterator[tuple[str, Scenario]]:
    """Connections that end before the reply does."""
    for name, end in (
        ("at once", 0),
        ("in the status", 9),
        ("in the head", len(OK) - len(reply()) - 1),
        ("before the body", len(OK) - len(reply())),
        ("in the body", len(OK) - 9),
    ):
        yield f"FIN {name}", Scenario(OK[:end], "CLOSED")
        yield f"RST {name}", Scenario(resetting(OK[:end]), "CLOSED")
        yield f"goodbye {name}", Scenario(parting(OK[:end]), "CLOSED")


def slowness() -> Iterator[tuple[str, Scenario]]:
    """Servers that have all the time in the world."""
    head = OK[: -len(reply())]
    for name, answer in (
        ("silent", silent),
        ("drip from the start", dripping(b"", OK)),
        ("drip in the head", dripping(HEAD, b"X: " + b"y" * 500)),
        ("drip in the body", dripping(head, reply())),
        ("drip in a chunk", dripping(CHUNKED + b"100\r\n", b" " * 256)),
        ("drip of continues", dripping(b"", b"HTTP/1.1 100 x\r\n\r\n" * 20)),
        ("silent after the head", silent_after(head)),
        ("silent in the body", silent_after(OK[:-1])),
    ):
        yield name, Scenario(answer, "TIMEOUT", slow=True)


def successes() -> Iterator[tuple[str, Scenario]]:
    """Odd, but right: a board must not be too proud."""
    yield "good", good(OK)
    yield "labelled html", good(http(reply(), "200 OK", "Content-Type: text/html"))
    yield "cookies", good(http(reply(), "200 OK", "Set-Cookie: a", "Set-Cookie: b"))
    yield "no reason", good(http(reply(), "200"))
    yield "continue first", good(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    yield "until close", good(HEAD + b"\r\n" + reply())
    yield "until goodbye", good(parting(HEAD + b"\r\n" + reply()))
    yield "HTTP/1.0", good(b"HTTP/1.0 200 OK\r\n\r\n" + reply())
    pieces = b"".join(chunk(bytes([byte])) for byte in reply()[:40])
    pieces += chunk(reply()[40:]) + b"0\r\n\r\n"
    yield "chunked", good(CHUNKED + pieces)
    yield (
        "chunked with more",
        good(CHUNKED + b"%x;a=b\r\n%s\r\n0\r\nT: x\r\n\r\n" % (len(reply()), reply())),
    )
    yield "byte by byte", Scenario(dripping(b"", OK, 0.001), None, "00000")
    yield "4096 bytes", good(http(reply().ljust(4096)))
    yield "null as productSecret", good(http(reply(more=None)))


FAMILIES = (
    bodies,
    members,
    statuses,
    heads,
    chunks,
    closings,
    slowness,
    successes,
)
CATALOGUE = {name: found for family in FAMILIES for name, found in family()}
# Before there is a request to answer: each has a listener of its own.
HANDSHAKES = {
    "silent in the handshake": Scenario(silent, "TIMEOUT", slow=True),
    "drip in the handshake": Scenario(b"", "TIMEOUT", slow=True),
    "FIN in the handshake": Scenario(b"", "CLOSED"),
    "RST in the handshake": Scenario(resetting(), "CLOSED"),
    "nobody listens": Scenario(b"", "CONNECT"),
}
EVERYTHING = CATALOGUE | HANDSHAKES


def path_of(name: str) -> str:
    """A URL path for a scenario; names may hold anything."""
    return f"/{list(EVERYTHING).index(name)}"


@dataclass
class Played:
    """Every scenario's result by runtime, and what the server saw of each."""

    results: dict[str, dict[str, dict[str, Any]]]
    requests: list[bytes]


@pytest.fixture(scope="module")
def played(
    authority: trustme.CA, ca_file: Path, start_board: Board
) -> Iterator[Played]:
    """Both runtimes through the whole catalogue, in lanes side by side."""
    context = hostile.server_context(authority.issue_cert("127.0.0.1"))
    answers: dict[bytes, Answer] = {}
    for name, scenario in CATALOGUE.items():
        answer = scenario.answer
        answers[path_of(name).encode()] = (
            saying(answer) if isinstance(answer, bytes) else answer
        )
    with (
        hostile.listening(over_tls(context, answers)) as server,
        hostile.listening(over_tcp(silent)) as mute,
        hostile.listening(hostile.dripping_handshake(context)) as dripper,
        hostile.listening(over_tcp(saying())) as closing,
        hostile.listening(over_tcp(resetting())) as resetter,
        socket.socket() as nobody,
    ):
        nobody.bind(("127.0.0.1", 0))  # reserved, but nobody listens
        ports = dict.fromkeys(CATALOGUE, server.port)
        before = (mute.port, dripper.port, closing.port, resetter.port)
        ports |= zip(HANDSHAKES, (*before, nobody.getsockname()[1]), strict=True)
        lanes: list[list[tuple[str, str, float]]] = [[], [], []]
        for name, scenario in EVERYTHING.items():
            url = f"https://127.0.0.1:{ports[name]}{path_of(name)}"
            lane = lanes[2] if not scenario.slow else min(lanes[:2], key=len)
            lane.append((name, url, SLOW_S if scenario.slow else FAST_S))
        boards = {
            runtime: [start_board(runtime, lane, ca_file) for lane in lanes]
            for runtime in RUNTIMES
        }
        results = {
            runtime: {
                name: result
                for process in processes
                for name, result in outcome(process).results.items()
            }
            for runtime, processes in boards.items()
        }
        yield Played(results, server.seen.requests)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", EVERYTHING)
def test_scenario(played: Played, runtime: str, name: str) -> None:
    """A clean code, the right error, and nothing else has changed."""
    scenario = EVERYTHING[name]
    result = played.results[runtime][name]
    assert result["escaped"] is None
    assert (result["code"], result["error"]) == (scenario.code, scenario.error), result
    assert result["untouched"] == (scenario.code != "00000")
    assert result["callers_untouched"]
    assert "s3cret" not in result["text"]
    if scenario.code == "00000":
        expected = hostile.config()
        expected["device"]["productSecret"] = None
        assert result["config"] == expected


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_fast_scenarios_need_no_deadline(played: Played, runtime: str) -> None:
    """What can be told at once is told at once, not when the time is up."""
    late = [
        (name, result["ms"])
        for name, result in played.results[runtime].items()
        if not EVERYTHING[name].slow and result["ms"] >= FAST_S * 1000
    ]
    assert late == []


def test_each_request_came_once(played: Played) -> None:
    """No redirect was followed and nothing was tried twice behind our back."""
    paths = [request.split()[1].decode() for request in played.requests]
    expected = [path_of(name) for name in CATALOGUE for _ in RUNTIMES]
    assert sorted(paths) == sorted(expected)


def test_catalogue_has_what_the_programme_names() -> None:
    """At least the 21 scenarios of the test programme; here are a few more."""
    assert len(EVERYTHING) >= 100

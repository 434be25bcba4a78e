"""A board tells who it talks to before it says a word, and names what is wrong.

The same cases on the real MicroPython (mbedTLS) and on CPython (OpenSSL). Each server
writes down what reaches it beyond the handshake: from a board that refuses it, nothing.
"""

import ast
import contextlib
import datetime
import hashlib
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.e2e import hostile
from tests.e2e.conftest import RUNTIMES, Board, Outcome, outcome, program
from tests.e2e.hostile import (
    Answer,
    Listener,
    http,
    old_tls,
    over_tcp,
    over_tls,
    reply,
    saying,
)
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT

TIMEOUT_S = 5
OK = http(reply())
EXAMPLE = ROOT / "tests/golden/seed_example.txt"


class Case(NamedTuple):
    """Who the server is called by the board, and what the board must say of it.

    `names` are the certificate's, `days` its validity from now; `raw` is said instead
    of a handshake.
    """

    host: str
    error: str | None
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    signer: str = "ours"
    days: tuple[int, int] = (-1, 1)
    raw: Answer | None = None


CASES = {
    "right name": Case("localhost", None),
    "right address": Case("127.0.0.1", None, ("127.0.0.1",)),
    "through another authority": Case("localhost", None, signer="between"),
    "wrong authority": Case("localhost", "TLS_CA", signer="stranger"),
    "self-signed": Case("localhost", "TLS_CA", signer="itself"),
    "wrong name": Case("localhost", "TLS_NAME", ("example.com",)),
    "wrong address": Case("127.0.0.1", "TLS_NAME", ("10.0.0.1",)),
    "name for address": Case("127.0.0.1", "TLS_NAME", ("localhost",)),
    "expired": Case("localhost", "TLS_DATE", days=(-9, -1)),
    "not yet valid": Case("localhost", "TLS_DATE", days=(1, 9)),
    "plain HTTP": Case("localhost", "TLS", raw=saying(b"HTTP/1.1 400 Bad\r\n\r\n")),
    "SSH": Case("localhost", "TLS", raw=saying(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n")),
    "TLS 1.0 only": Case("localhost", "TLS", raw=old_tls(1)),
    "TLS 1.1 only": Case("localhost", "TLS", raw=old_tls(2)),
    "alert": Case("localhost", "TLS", raw=saying(b"\x15\x03\x03\0\x02\x02\x28")),
}


def certificate(case: Case, authority: trustme.CA) -> trustme.LeafCert:
    """What the case's server shows."""
    if case.signer == "itself":
        return hostile.self_signed(case.host)
    signer = authority
    if case.signer == "stranger":
        signer = trustme.CA(key_type=trustme.KeyType.ECDSA)
    elif case.signer == "between":
        signer = authority.create_child_ca(key_type=trustme.KeyType.ECDSA)
    now = datetime.datetime.now(datetime.UTC)
    start, end = (now + datetime.timedelta(days=number) for number in case.days)
    return signer.issue_cert(*case.names, not_before=start, not_after=end)


@pytest.fixture(scope="module")
def servers(authority: trustme.CA) -> Iterator[dict[tuple[str, str], Listener]]:
    """A server for each case and runtime, so that nothing that comes is mixed up."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name, case in CASES.items():
            if case.raw:
                handle = over_tcp(case.raw)
            else:
                context = hostile.server_context(certificate(case, authority))
                handle = over_tls(context, {b"/": saying(OK)})
            for runtime in RUNTIMES:
                listener = stack.enter_context(hostile.listening(handle))
                found[runtime, name] = listener
        yield found


@pytest.fixture(scope="module")
def outcomes(
    servers: dict[tuple[str, str], Listener], start_board: Board, ca_file: Path
) -> dict[str, Outcome]:
    """One process for each runtime, which trusts `authority` and visits them all."""
    boards = {}
    for runtime in RUNTIMES:
        visits = [
            (name, f"https://{case.host}:{servers[runtime, name].port}/", TIMEOUT_S)
            for name, case in CASES.items()
        ]
        boards[runtime] = start_board(runtime, visits, ca_file)
    return {runtime: outcome(process) for runtime, process in boards.items()}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", CASES)
def test_verified(
    outcomes: dict[str, Outcome],
    servers: dict[tuple[str, str], Listener],
    runtime: str,
    name: str,
) -> None:
    """Each fault has its own error, and its server gets not one byte of ours."""
    case = CASES[name]
    result = outcomes[runtime].results[name]
    code = "77777" if case.error else "00000"
    assert (result["code"], result["error"]) == (code, case.error), result
    assert result["escaped"] is None
    assert result["untouched"] == bool(case.error)
    seen = servers[runtime, name].seen
    assert seen.connections == 1
    if case.raw:  # a ClientHello, and at most an alert after it
        assert b"POST" not in seen.application_bytes
        assert b"490154203237518" not in seen.application_bytes
        assert seen.application_bytes.startswith(b"\x16\x03")
    elif case.error:
        assert seen.application_bytes == b""
    else:
        assert seen.application_bytes.startswith(b"POST / HTTP/1.1\r\n")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_verified_board_says_nothing_of_it(
    outcomes: dict[str, Outcome], runtime: str
) -> None:
    """The warning is for boards without a CA only."""
    assert "NOT verified" not in outcomes[runtime].output


def test_without_a_ca(authority: trustme.CA, start_board: Board, runtime: str) -> None:
    """It works with whoever answers, as the seed does, and says so once."""
    case = CASES["wrong name"]._replace(signer="stranger", days=(-9, -1))
    context = hostile.server_context(certificate(case, authority))
    with hostile.listening(over_tls(context, {b"/": saying(OK)})) as server:
        url = f"https://localhost:{server.port}/"
        visits = [("first", url, TIMEOUT_S), ("second", url, TIMEOUT_S)]
        said = outcome(start_board(runtime, visits, None))
    assert [said.results[name]["code"] for name in ("first", "second")] == ["00000"] * 2
    assert said.output.count("NOT verified") == 1


@pytest.mark.parametrize(
    ("pinned", "with_ca", "error"),
    [
        (["leaf"], False, None),
        (["other", "leaf"], False, None),
        (["other"], False, "TLS_PIN"),
        (["other"], True, "TLS_PIN"),
        (["leaf"], True, "TLS_CA"),
    ],
)
def test_pins(
    start_board: Board,
    ca_file: Path,
    runtime: str,
    pinned: list[str],
    with_ca: bool,
    error: str | None,
) -> None:
    """A pin needs neither CA nor clock; with a CA both have to hold.

    The certificate is expired, its name wrong and its authority a stranger, so only the
    pin can let it pass, and nothing can where the CA is asked as well.
    """
    case = CASES["wrong name"]._replace(signer="stranger", days=(-9, -1))
    if with_ca and pinned == ["other"]:
        case = CASES["right name"]
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = certificate(case, authority)
    der = ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())
    sums = {"leaf": hashlib.sha256(der).hexdigest(), "other": "00" * 32}
    ca = ca_file
    if case is CASES["right name"]:
        ca = ca_file.with_name("pinned.der")
        ca.write_bytes(hostile.der(authority))
    with hostile.listening(
        over_tls(hostile.server_context(leaf), {b"/": saying(OK)})
    ) as server:
        visits = [("visit", f"https://localhost:{server.port}/", TIMEOUT_S)]
        pins = [sums[name] for name in pinned]
        board = start_board(runtime, visits, ca if with_ca else None, pins)
        result = outcome(board).results["visit"]
    assert (result["code"], result["error"]) == (
        "77777" if error else "00000",
        error,
    )
    if error:
        assert server.seen.application_bytes == b""


def test_ca_and_plain_http(ca_file: Path, start_board: Board, runtime: str) -> None:
    """A CA that would verify nobody: refused before there is a connection."""
    with hostile.listening(over_tcp(saying(OK))) as server:
        visits = [("plain", f"http://localhost:{server.port}/", TIMEOUT_S)]
        result = outcome(start_board(runtime, visits, ca_file)).results["plain"]
    assert (result["code"], result["error"]) == ("77777", "OPTION")
    assert server.seen.connections == 0


def test_plain_http(start_board: Board, runtime: str) -> None:
    """Without a CA an http URL works, for a test bench."""

    def handle(sock, seen):
        hostile.read_request(sock, seen)
        saying(OK)(sock)

    with hostile.listening(handle) as server:
        visits = [("plain", f"http://localhost:{server.port}/", TIMEOUT_S)]
        result = outcome(start_board(runtime, visits, None)).results["plain"]
    assert (result["code"], result["error"]) == ("00000", None)
    assert len(server.seen.requests) == 1


@pytest.mark.parametrize("ca", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\n"])
def test_broken_ca(
    authority: trustme.CA,
    start_board: Board,
    runtime: str,
    tmp_path: Path,
    ca: bytes,
) -> None:
    """A CA file that holds none verifies nobody, and never everybody."""
    context = hostile.server_context(certificate(CASES["right name"], authority))
    file = tmp_path / "ca.der"
    file.write_bytes(ca)
    with hostile.listening(over_tls(context, {b"/": saying(OK)})) as server:
        visits = [("visit", f"https://localhost:{server.port}/", TIMEOUT_S)]
        result = outcome(start_board(runtime, visits, file)).results["visit"]
    assert result["escaped"] is None
    assert result["code"] == "77777", result
    assert server.seen.application_bytes == b""


def test_seed_example(authority: trustme.CA, tmp_path: Path, runtime: str) -> None:
    """The usage example of the seed document 003 §4.3, as it stands there.

    Its URL is filled in, and the colon that it lacks.
    """
    text = EXAMPLE.read_text()
    assert text.count('url = ""') == text.count('if code != "00000"\n') == 1
    context = hostile.server_context(certificate(CASES["right name"], authority))
    with hostile.listening(over_tls(context, {b"/v1": saying(OK)})) as server:
        text = text.replace('url = ""', f'url = "https://localhost:{server.port}/v1"')
        text = text.replace('"00000"\n', '"00000":\n')
        (tmp_path / "example.py").write_text(text)
        done = subprocess.run(
            [*program(runtime), "example.py"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "MICROPYPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    warning, printed = done.stdout.splitlines()
    assert "NOT verified" in warning
    expected = hostile.config()
    expected["device"]["productSecret"] = None
    assert ast.literal_eval(printed) == expected
    assert server.seen.requests[0].endswith(b"\r\n\r\n{}")

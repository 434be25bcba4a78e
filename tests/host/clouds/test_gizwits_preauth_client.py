"""The client against servers that are not what they should be."""

import gzip
import json
import logging
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest

from pointctl import certificates
from pointctl.broker.process import free_port
from pointctl.clouds.gizwits.preauth import errors, wire
from pointctl.clouds.gizwits.preauth.client import PreauthClient, PreauthSettings
from tests.host.preauth import Hostile, ok, reply, xlsx
from tests.patience import PATIENCE_S

AUTHORIZATION = "canary-authorization-51d7"
AUTH_CODE = "canaryauthcode9c3e"
KEY = "bff12c2998274c92b36de18b019ca9ea"
KEY_BODY = {
    "auth_key": KEY,
    "created_at": "2018-01-23T11:06:12.840298Z",
    "pin": wire.PIN,
    "mac": wire.MAC,
}
GOOD_KEY = ok(json.dumps(KEY_BODY).encode())
PACKAGE = {
    "created_at": "string",
    "updated_at": "string",
    "pin": wire.PIN,
    "capacity": 1000,
    "size": 10,
    "auth_code": AUTH_CODE,
    "is_enabled": True,
}
META = {"total": 1, "limit": 20, "skip": 0, "next": "string", "previous": "x"}
PAGE = {"meta": META, "objects": [PACKAGE]}
GOOD_PAGE = ok(json.dumps(PAGE).encode())


@pytest.fixture
def hostile(authority):
    """Makes a server with these answers, and a client of it."""

    @contextmanager
    def running(*answers, **changes):
        settings = {"within_s": 20.0, **changes}
        with Hostile(authority, list(answers)).running() as server:
            settings = {"url": server.url, "ca": server.ca_file, **settings}
            with PreauthClient(PreauthSettings(AUTHORIZATION, **settings)) as client:
                yield server, client

    return running


def ask_key(client):
    return client.auth_key(wire.PIN, wire.MAC, AUTH_CODE)


def ask_packages(client):
    return list(client.packages(wire.PIN, AUTH_CODE))


def ask_batch(client):
    return client.batch(wire.PIN, AUTH_CODE, b"02004c4f4f50\n", "macs.txt")


def changed(**members):
    """A good reply, but for these members."""
    return ok(json.dumps({**KEY_BODY, **members}).encode())


def drip(peer):
    """A head that never ends, a byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000:
        peer.send(bytes([byte]))
        time.sleep(0.05)


def drip_body(peer):
    """A body that never ends."""
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(peer)


def silence(peer):
    """Nothing, as long as the client waits."""
    peer.recv(1)


def reset(peer):
    """RST in place of a reply."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket.close(peer)


BAD = {
    "no json": ok(b"<html>", "text/html"),
    "empty": ok(b""),
    "half a json": ok(b'{"auth_key": "'),
    "deep json": ok(b"[" * 200_000),
    "a list": ok(b"[]"),
    "not utf-8": ok(b'{"auth_key": "\xff"}'),
    "no key": ok(json.dumps({**KEY_BODY, "auth_key": None}).encode()),
    "a short key": changed(auth_key=KEY[:31]),
    "a key that is none": changed(auth_key="x" * 32),
    "another mac": changed(mac="test00101012"),
    "another pin": changed(pin="0" * 32),
    "packed": reply(200, gzip.compress(b"x" * 100), "Content-Encoding: gzip"),
    "huge": ok(b" " * (1 << 21)),
    "a redirect": reply(302, b"", "Location: https://localhost:1/"),
    "no content": reply(204),
    "a teapot": reply(418, b"{}"),
    "an unknown code": reply(400, b'{"error_code": 17}'),
    "a code that is none": reply(400, b'{"error_code": "no"}'),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_bad_replies(hostile, answer):
    """Each is told as such, at once, and quotes nothing."""
    with hostile(answer) as (server, client):
        with pytest.raises(errors.BadReply) as raised:
            ask_key(client)
        assert len(server.requests) == 1
    assert KEY not in str(raised.value)
    assert "canary" not in repr(raised.value) + str(raised.value)


BROKEN = {
    "closed": b"",
    "half a head": b"HTTP/1.1 200 O",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "no http": b"SSH-2.0-x\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "reset": reset,
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_what_may_have_arrived_is_not_sent_again(hostile, answer):
    """A POST that broke is told; a GET is asked again, and a POST where it is free."""
    with hostile(answer, GOOD_KEY) as (server, client):
        with pytest.raises(errors.NoReply, match="may have been"):
            ask_key(client)
        assert len(server.requests) == 1
    with hostile(answer, GOOD_PAGE) as (server, client):
        assert ask_packages(client)[0].capacity == 1000
        assert len(server.requests) == 2
    with hostile(answer, GOOD_KEY, repeats_are_free=True) as (server, client):
        assert ask_key(client).auth_key == KEY
        assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize("answer", [drip, drip_body, silence])
def test_one_deadline_over_all(hostile, answer):
    """Whoever drips gains nothing by it."""
    with (
        hostile(answer, within_s=1.0) as (_, client),
        pytest.raises(errors.NoReply),  # it would be an hour
    ):
        ask_key(client)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_who_is_not_well(hostile, status):
    """A proxy's page: a GET is asked again, a POST is not."""
    page = reply(status, b"<html>bad</html>", "Retry-After: 1")
    with hostile(page, GOOD_PAGE) as (server, client):
        began = time.monotonic()
        assert len(ask_packages(client)) == 1
        assert time.monotonic() - began >= 1
    with hostile(page, GOOD_KEY) as (server, client):
        with pytest.raises(errors.Unavailable, match=str(status)) as raised:
            ask_key(client)
        assert len(server.requests) == 1
        assert (raised.value.status, raised.value.retry_after_s) == (status, 1.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("86400", 86400),
        ("99999999999999999999", 86400),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 2199 00:00:00 GMT", 86400),
        ("-1", None),
        ("soon", None),
    ],
)
def test_retry_after(hostile, header, seconds):
    """Of any form; one that is beyond the deadline is told, not slept for."""
    answer = reply(503, b"", f"Retry-After: {header}")
    with (
        hostile(answer, within_s=3) as (_, client),
        pytest.raises(errors.Unavailable) as raised,  # not after a day
    ):
        ask_packages(client)
    assert raised.value.retry_after_s == seconds


def test_the_sixteen_may_come_as_text(hostile):
    """The code as a string is the same code; the status is what came."""
    full, refused = reply(409, b'{"error_code": "4"}'), errors.PackageCapacityNotEnough
    with hostile(full) as (_, client), pytest.raises(refused) as raised:
        ask_key(client)
    assert raised.value.status == 409
    with hostile(reply(500, b'{"error_code": 8}'), GOOD_PAGE) as (server, client):
        ask_packages(client)
        assert len(server.requests) == 2


def test_what_is_sent(hostile):
    """The document's members and no others; the Authorization as it is."""
    with hostile(GOOD_KEY) as (server, client):
        ask_key(client)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/gagent HTTP/1.1\r\n")
    assert f"\r\nAuthorization: {AUTHORIZATION}\r\n".encode() in head + b"\r\n"
    assert b"content-type: application/json" in head.lower()
    sent = {"pin": wire.PIN, "mac": wire.MAC, "auth_code": AUTH_CODE}
    assert json.loads(body) == sent
    with hostile(ok(f'{{"id": " {wire.JOB}"}}'.encode())) as (server, client):
        assert ask_batch(client) == wire.JOB  # the sample's space is none of it
    assert b"multipart/form-data" in server.requests[0]
    for name in (b"pin", b"auth_code", b"batch_file"):
        assert b'name="%s"' % name in server.requests[0]


@pytest.mark.parametrize(
    "result",
    [
        {"status": 2, "failed": 0, "success": 10, "auth_result": "x"},
        {"status": "2", "failed": "0", "success": "10", "auth_result": None, "y": 1},
    ],
)
def test_numbers_as_the_document_has_them(hostile, result):
    """Its table says String, its sample has numbers."""
    with hostile(ok(json.dumps({"id": wire.JOB, **result}).encode())) as (_, client):
        found = client.batch_result(wire.JOB)
    assert (found.is_done, found.success, found.failed) == (True, 10, 0)


def test_pages_end(hostile):
    """A server that always has more, or the same again, is not followed for ever."""
    page = {"meta": META | {"total": 2**31 - 1}, "objects": [PACKAGE] * 5000}
    with hostile(ok(json.dumps(page).encode())) as (server, client):
        with pytest.raises(errors.BadReply, match="over 10000"):
            ask_packages(client)
        assert len(server.requests) <= 3
    page["objects"] = []
    with hostile(ok(json.dumps(page).encode())) as (_, client):
        assert ask_packages(client) == []


def batch_at(place, **counts):
    return wire.BatchResult(
        **{"status": 2, "id": wire.JOB, "success": 1, "failed": 0, **counts},
        auth_result=place,
    )


SHEET = xlsx(("mac", "auth_key"), (866123456789018.0, KEY))


def test_a_result_is_fetched_where_it_may_be(hostile):
    """The API's own host is told who asks, one that was allowed is not."""
    with hostile(ok(SHEET)) as (server, client):
        (row,) = client.keys(batch_at(f"localhost:{server.port}/x.xlsx"))
        assert (row.mac, row.auth_key) == ("866123456789018", KEY)
        assert AUTHORIZATION.encode() in server.requests[0]
        for place in (
            f"127.0.0.1:{server.port}/x.xlsx",
            f"https://evil@localhost:{server.port}/x.xlsx",
            f"http://localhost:{server.port}/x.xlsx",
            f"localhost:{server.port + 1}/x.xlsx",
            "localhost:99999/x.xlsx",
            "file:///etc/passwd",
            "https://[::1/x",
            "",
        ):
            with pytest.raises(errors.BadReply):
                client.keys(batch_at(place))
        assert len(server.requests) == 1
    with hostile(ok(SHEET), download_hosts=("127.0.0.1",)) as (server, client):
        client.keys(batch_at(f"https://127.0.0.1:{server.port}/x.xlsx"))
        assert b"authorization" not in server.requests[0].lower()


def test_a_result_must_have_what_it_promised(hostile):
    """A key that is missing is no key that failed."""
    with hostile(ok(SHEET)) as (server, client):
        place = f"localhost:{server.port}/x.xlsx"
        for counts in ({"success": 2}, {"failed": 1}, {"success": 0}):
            with pytest.raises(errors.BadReply, match="has not the keys"):
                client.keys(batch_at(place, **counts))
    none = pytest.raises(errors.BadReply, match=r"\.xlsx")
    with hostile(ok(b"no workbook")) as (server, client), none:
        client.keys(batch_at(f"localhost:{server.port}/x.xlsx"))


def test_waiting_outlasts_a_cloud_that_is_away(hostile):
    """Busy, broken, running, done; each answer is told."""
    running = json.dumps(
        {"status": 1, "failed": 0, "success": 3, "id": wire.JOB}
    ).encode()
    done = json.dumps({"status": 2, "failed": 0, "success": 9, "id": wire.JOB}).encode()
    seen = []
    with hostile(ok(running), reply(503), b"", ok(running), ok(done), within_s=2) as (
        _,
        client,
    ):
        result = client.wait_for_batch(wire.JOB, lambda r: seen.append(r.success))
    assert result.is_done
    assert seen == [3, 3, 9]
    late = pytest.raises(errors.NoReply, match="not done within 1 s")
    with hostile(ok(running)) as (_, client), late:
        client.wait_for_batch(wire.JOB, within_s=1)
    other = ok(running.replace(wire.JOB.encode(), b"0" * 32))
    with hostile(other) as (_, client):
        with pytest.raises(errors.BadReply, match="another batch"):
            client.wait_for_batch(wire.JOB)
        with pytest.raises(errors.CloudError, match="letters and digits"):
            client.batch_result("../x")


def test_nobody_there_is_tried_again(authority):
    """Nothing was sent, so a POST may be repeated, until somebody listens."""
    port = free_port()
    server = Hostile(authority, [GOOD_KEY])
    settings = PreauthSettings(
        AUTHORIZATION, url=f"https://localhost:{port}", ca=authority.ca, within_s=2
    )
    with PreauthClient(settings) as client:
        with pytest.raises(errors.Unreachable) as raised:
            ask_key(client)
        assert raised.value.nothing_was_done
    listening = threading.Event()
    with server.running(), socket.socket() as gate:
        gate.bind(("127.0.0.1", 0))
        settings = PreauthSettings(
            AUTHORIZATION,
            url=f"https://localhost:{gate.getsockname()[1]}",
            ca=authority.ca,
            within_s=60,
        )
        forward = threading.Thread(target=_forward, args=(gate, server, listening))
        forward.start()
        with PreauthClient(settings) as client:
            assert ask_key(client).auth_key == KEY
        forward.join(PATIENCE_S)
    assert len(server.requests) == 1


def _forward(gate, server, listening):
    """Listen late, and pass one connection on."""
    time.sleep(1)
    gate.listen()
    gate.settimeout(30)
    peer, _ = gate.accept()
    with peer, socket.create_connection(("127.0.0.1", server.port)) as inner:
        back = threading.Thread(target=_pump, args=(inner, peer))
        back.start()
        _pump(peer, inner)
        back.join(PATIENCE_S)


def _pump(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_certificates(tmp_path, authority):
    """Another CA's, and another name's: nothing is sent, and it is said why."""
    other = certificates.init(tmp_path / "ca", ["elsewhere.test"])
    with Hostile(other, [GOOD_KEY]).running() as server:
        for ca, why in ((authority.ca, "not trusted"), (other.ca, "not trusted")):
            settings = PreauthSettings(AUTHORIZATION, url=server.url, ca=ca)
            untrusted = pytest.raises(errors.Untrusted, match=why)
            with PreauthClient(settings) as client, untrusted as raised:
                ask_key(client)
            assert raised.value.nothing_was_done
        assert not any(server.requests)
    with pytest.raises(errors.CloudError, match="no certificate"):
        PreauthClient(PreauthSettings(AUTHORIZATION, ca=authority.server_key))


@pytest.mark.parametrize(
    ("authorization", "url"),
    [
        ("", "https://localhost"),
        ("a\r\nX-Evil: 1", "https://localhost"),
        (" a", "https://localhost"),
        ("schlüssel", "https://localhost"),
        ("a", "http://localhost"),
        ("a", "localhost"),
        ("a", "https://a@localhost"),
        ("a", "https://localhost:99999"),
    ],
)
def test_settings(authorization, url):
    """What cannot be sent is not accepted, and not quoted."""
    with pytest.raises(errors.CloudError) as raised:
        PreauthSettings(authorization, url=url)
    assert "Evil" not in str(raised.value)


def test_logs_tell_no_secret(hostile, log):
    """Neither at the usual level nor, of what is ours to say, at any other."""
    logging.getLogger().setLevel(logging.DEBUG)
    with hostile(GOOD_PAGE) as (_, client):
        ask_packages(client)
        assert "canary" not in repr(client) + repr(PreauthSettings(AUTHORIZATION))
    logging.getLogger().info("something is logged")
    text = log.getvalue()
    assert "something is logged" in text
    assert "canary" not in text

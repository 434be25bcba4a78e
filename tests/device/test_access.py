"""point.access and point.provision: the seed's contract, and what ensure() adds."""

import json
import os
import unittest

import fakes
from fakes import http

import point
from point import provision_exchange as module
from point import stream
from point.access import PointAccess
from point.errors import PointError
from point.store import Store

URL = "https://p.example.com/v1/access"
DATA = {"imei": "490154203237518"}
EMPTY = {
    "device": {
        "productKey": "",
        "productSecret": None,
        "deviceName": "",
        "deviceSecret": "",
    },
    "connect": {"qos": 1, "host": "", "cleanSession": 1},
}


def body(code="00000", result=None, **more):
    reply = {"code": code}
    if code == "00000":
        reply["result"] = result or fakes.config()
    reply.update(more)
    return json.dumps(reply).encode()


def expected():
    config = fakes.config()
    config["device"]["productSecret"] = None
    return config


class Response:
    """What somebody's requests.post() returns."""

    def __init__(self, content, status=200):
        self.content = content
        self.status_code = status
        self.closed = 0

    def close(self):
        self.closed += 1


class Post:
    """What somebody's requests.post is: scripted, and it writes down its calls."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def __call__(self, url, json=None, headers=None):
        self.calls.append((url, json, headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Case(unittest.TestCase):
    def setUp(self):
        self.said = []
        module.print = self.said.append
        module._warned = False
        self.folder = fakes.Folder()
        self.held = fakes.Patch()
        fakes.hold(self.held)

    def tearDown(self):
        self.held.undo()
        del module.print
        self.folder.remove()

    def board(self, *replies):
        return fakes.Board(self.folder.path, replies)


class Seed(Case):
    def test_import_and_names(self):
        """`from point import PointAccess`, and nothing has happened yet."""
        self.assertIs(point.PointAccess, PointAccess)
        access = PointAccess()
        self.assertEqual(access.success_code, "00000")
        self.assertEqual(access.device_config, EMPTY)
        self.assertIsNone(access.error)
        self.assertIsNone(access.source)
        self.assertEqual(os.listdir(self.folder.path), [])

    def test_objects_share_nothing(self):
        """Two boards in one process do not see each other."""
        one, two = PointAccess(), PointAccess()
        one.device_config["device"]["productKey"] = "x"
        self.assertEqual(two.device_config, EMPTY)

    def test_success(self):
        """00000, and device_config is the server's."""
        access = PointAccess(post=Post(Response(body())))
        self.assertEqual(access.request(URL, DATA), "00000")
        self.assertEqual(access.device_config, expected())
        self.assertIsNone(access.error)
        self.assertEqual(access.source, "server")

    def test_success_over_our_own_https(self):
        """The same without anybody's requests."""
        board = self.board(http(body()))
        access = PointAccess(board, trust={"ca": b"ca"}, timeout_s=9)
        self.assertEqual(access.request(URL, DATA), "00000")
        self.assertEqual(access.device_config, expected())
        self.assertEqual(board.connected, [("p.example.com", 443, {"ca": b"ca"}, 9)])
        self.assertEqual(board.streams[0].closed, 1)
        self.assertEqual(self.said, [])

    def test_optional_members(self):
        """productSecret is None and cleanSession 0 where the server names neither."""
        result = fakes.config()
        del result["connect"]["cleanSession"]
        access = PointAccess(post=Post(Response(body(result=result))))
        self.assertEqual(access.request(URL, DATA), "00000")
        self.assertEqual(access.device_config["connect"]["cleanSession"], 0)
        self.assertIsNone(access.device_config["device"]["productSecret"])
        result["device"]["productSecret"] = "given"
        access = PointAccess(post=Post(Response(body(result=result))))
        access.request(URL, DATA)
        self.assertEqual(access.device_config["device"]["productSecret"], "given")

    def test_server_code(self):
        """Any other code is the server's own, as it came."""
        for code in ("40301", "1", "E-7"):
            access = PointAccess(post=Post(Response(body(code), 403)))
            self.assertEqual(access.request(URL, DATA), code)
            self.assertEqual(access.error.name, "REFUSED")
            self.assertEqual(access.device_config, EMPTY)

    def test_no_code(self):
        """99999: the reply had none."""
        access = PointAccess(post=Post(Response(b"{}")))
        self.assertEqual(access.request(URL, DATA), "99999")
        self.assertEqual(access.error.name, "NO_CODE")

    def test_failures(self):
        """77777: nothing was got, and `error` says why."""
        bad = fakes.config()
        del bad["device"]["deviceName"]
        for answer, name in (
            (OSError(110), "TIMEOUT"),
            (OSError(104), "CLOSED"),
            (OSError(-1), "CLOSED"),
            (IndexError(), "CLOSED"),
            (RuntimeError(), "CLOSED"),
            (ValueError(), "CLOSED"),
            (MemoryError(), "NO_MEMORY"),
            (Response(b""), "MALFORMED"),
            (Response(b"<html>"), "MALFORMED"),
            (Response(b"null"), "MALFORMED"),
            (Response(b'{"code":"00000"}'), "FIELD"),
            (Response(body(result=bad)), "FIELD"),
            (Response(b'{"code":0}'), "FIELD"),
            (Response(body(), 500), "HTTP_STATUS"),
            (Response(b"x" * 4097), "TOO_LARGE"),
        ):
            access = PointAccess(post=Post(answer))
            self.assertEqual(access.request(URL, DATA), "77777", repr(answer))
            self.assertEqual(access.error.name, name, repr(answer))
            self.assertEqual(access.device_config, EMPTY)
            self.assertIsNone(access.source)

    def test_config_is_untouched_by_any_failure(self):
        """Not even partly, and it stays the same object."""
        half = fakes.config()
        half["device"]["deviceName"] = "other"
        del half["connect"]["host"]
        post = Post(
            Response(body()),
            Response(body(result=half)),
            Response(body("40301")),
            Response(b"{}"),
            OSError(104),
            MemoryError(),
        )
        access = PointAccess(post=post)
        access.request(URL, DATA)
        config = access.device_config
        for code in ("77777", "40301", "99999", "77777", "77777"):
            self.assertEqual(access.request(URL, DATA), code)
            self.assertIs(access.device_config, config)
            self.assertEqual(config, expected())
            self.assertIsNotNone(access.error)

    def test_success_clears_the_error(self):
        """`error` is about the last request only."""
        access = PointAccess(post=Post(OSError(104), Response(body())))
        access.request(URL, DATA)
        access.request(URL, DATA)
        self.assertIsNone(access.error)

    def test_callers_objects(self):
        """data and headers come back as they were; headers go out, but for ours."""
        data = {"imei": "1", "more": [1]}
        headers = {"X-Key": "k", "Content-Type": "text/plain"}
        for answer in (Response(body()), OSError(104), Response(b"")):
            post = Post(answer)
            PointAccess(post=post).request(URL, data, headers=headers)
            self.assertEqual(data, {"imei": "1", "more": [1]})
            self.assertEqual(headers, {"X-Key": "k", "Content-Type": "text/plain"})
            sent = {"X-Key": "k", "Content-Type": "application/json"}
            self.assertEqual(post.calls, [(URL, data, sent)])

    def test_headers_over_our_own_https(self):
        """The same on the wire."""
        board = self.board(http(body()))
        headers = {"X-Key": "k", "content-type": "text/plain"}
        access = PointAccess(board, trust={"ca": b"ca"})
        access.request(URL, DATA, headers=headers)
        sent = board.streams[0].writes[0]
        self.assertIn(b"\r\nX-Key: k\r\n", sent)
        self.assertIn(b"\r\nContent-Type: application/json\r\n", sent)
        self.assertNotIn(b"text/plain", sent)

    def test_no_headers(self):
        """headers=None and headers={} are no headers."""
        for headers in (None, {}):
            access = PointAccess(post=Post(Response(body())))
            self.assertEqual(access.request(URL, DATA, headers=headers), "00000")

    def test_unknown_option(self):
        """An option that does not exist is Python's TypeError, and nothing is sent."""
        access = PointAccess(post=Post())
        for call in (access.request, access.ensure):
            for name in ("timeout", "header", "json", "verify"):
                with self.assertRaises(TypeError):
                    call(URL, DATA, **{name: 1})
        self.assertEqual(access.post.calls, [])

    def test_bad_url(self):
        """A URL that cannot be used is 77777 and OPTION."""
        access = PointAccess(self.board(), trust={"ca": b"ca"})
        for url in ("", "ftp://a/", "https://a b/", None):
            self.assertEqual(access.request(url, DATA), "77777")
            self.assertEqual(access.error.name, "OPTION")

    def test_ca_needs_https(self):
        """With a CA an http URL is refused before anything is sent."""
        board = self.board()
        access = PointAccess(board, trust={"ca": b"ca"})
        self.assertEqual(access.request("http://a/", DATA), "77777")
        self.assertEqual(access.error.name, "OPTION")
        self.assertEqual(board.connected, [])

    def test_not_verified_is_said_once(self):
        """Bare, it works as the seed does, and says so, once for all objects."""
        board = self.board(http(body()), http(body()), http(body()))
        patch = fakes.Patch()
        patch.set(stream, "connect", board.connect)
        try:
            access = PointAccess()
            for _ in range(2):
                self.assertEqual(access.request(URL, DATA), "00000")
            self.assertEqual(PointAccess().request(URL, DATA), "00000")
        finally:
            patch.undo()
        self.assertEqual(len(self.said), 1)
        self.assertIn("NOT verified", self.said[0])
        self.assertEqual([seen[2] for seen in board.connected], [{}] * 3)

    def test_not_verified_on_a_board(self):
        """A board that verifies nobody and has no claim key sends nothing at all."""
        for trust, verifies in (
            (None, True),
            ({}, True),
            (None, False),
            ({"ca": b"ca"}, False),
            ({"pins": [bytes(32)]}, False),
        ):
            board = self.board(http(body()))
            board.VERIFIES = verifies
            for call in ("request", "ensure"):
                access = PointAccess(board, trust=trust)
                self.assertEqual(getattr(access, call)(URL, DATA), "77777")
                self.assertEqual(access.error.name, "UNVERIFIED")
                self.assertEqual(access.device_config, EMPTY)
            self.assertEqual(board.connected, [])
        self.assertEqual(self.said, [])

    def test_trust_is_handed_on(self):
        """What is to be trusted goes to the board's connect() as it was given."""
        for trust in ({"ca": b"ca"}, {"pins": [b"p" * 32]}, {"ca": b"c", "pins": []}):
            board = self.board(http(body()))
            access = PointAccess(board, trust=trust)
            self.assertEqual(access.request(URL, DATA), "00000")
            self.assertIs(board.connected[0][2], trust)
        self.assertEqual(self.said, [])

    def test_without_a_board(self):
        """Without a board our own sockets are used."""
        sock = fakes.Socket(http(body()))
        patch = fakes.Patch()
        patch.set(stream, "socket", fakes.Network(sock))
        try:
            self.assertEqual(PointAccess().request("http://a/x", DATA), "00000")
        finally:
            patch.undo()
        self.assertEqual(len(sock.sent), 1)
        self.assertEqual(sock.closes, 1)

    def test_quecpython(self):
        """A generator for a body, and json() None, as QuecPython's request has it."""

        class Quec:
            status_code = 200

            def __init__(self, *parts):
                self.content = self.text = (part for part in parts)

            def json(self):
                return None

            def close(self):
                pass

        reply = body()
        post = Post(Quec(reply[:9].decode(), reply[9:].decode()), Quec())
        access = PointAccess(post=post)
        self.assertEqual(access.request(URL, DATA), "00000")
        self.assertEqual(access.device_config, expected())
        self.assertEqual(access.request(URL, DATA), "77777")


class Ensure(Case):
    def access(self, *replies, **more):
        self.device = self.board(*replies)
        return PointAccess(self.device, trust={"ca": b"ca"}, **more)

    def test_first_boot_and_second(self):
        """From the server once; from flash ever after, and without network."""
        access = self.access(http(body()))
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(access.source, "server")
        self.assertEqual(access.device_config, expected())
        self.assertEqual(self.device.onlines, [30])
        access = self.access()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(access.source, "flash")
        self.assertEqual(access.device_config, expected())
        self.assertEqual((self.device.onlines, self.device.connected), ([], []))
        self.assertIsNone(access.error)

    def test_retries(self):
        """Whatever fails, it is tried again, until the attempts are used up."""
        failing = (PointError(11), http(b"", "502 x"), http(body("42901"), "429 x"))
        access = self.access(*(failing + (http(body()),)))
        self.assertEqual(access.ensure(URL, DATA, attempts=4), "00000")
        self.assertIsNone(access.error)
        self.assertEqual(len(self.device.connected), 4)
        access.forget()
        access = self.access(*failing)
        self.assertEqual(access.ensure(URL, DATA, attempts=3), "42901")
        self.assertEqual(access.error.name, "REFUSED")
        self.assertEqual(len(self.device.connected), 3)
        self.assertEqual(access.device_config, EMPTY)
        self.assertEqual(self.folder.names(), [])

    def test_attempts(self):
        """One means one; the default is five."""
        for options, count in (({"attempts": 1}, 1), ({}, 5)):
            access = self.access(*[PointError(11)] * 9)
            self.assertEqual(access.ensure(URL, DATA, **options), "77777")
            self.assertEqual(len(self.device.connected), count)
            self.assertEqual(access.error.name, "CONNECT")

    def test_waits(self):
        """The pauses grow, are random, feed the watchdog, and end with the attempts."""
        from point import provision

        slept = []
        patch = fakes.Patch()
        patch.set(provision, "sleep_ms", slept.append)
        try:
            access = self.access(*[PointError(11)] * 9)
            access.random = lambda count: b"\xff" * count
            access.ensure(URL, DATA)
        finally:
            patch.undo()
        self.assertEqual(max(slept), 1000)
        self.assertEqual(sum(slept), 1999 + 3999 + 7999 + 15999)
        self.assertGreaterEqual(self.device.fed, len(slept))

    def test_offline(self):
        """Without network the server is not asked."""
        access = self.access()

        def offline(timeout_s):
            self.device.onlines.append(timeout_s)
            raise PointError(14, "no SIM")

        self.device.online = offline
        self.assertEqual(access.ensure(URL, DATA, attempts=3), "77777")
        self.assertEqual(access.error.name, "OFFLINE")
        self.assertEqual(len(self.device.onlines), 3)
        self.assertEqual(self.device.connected, [])

    def test_headers_every_time(self):
        """The caller's headers go with each attempt."""
        access = self.access(PointError(11), http(body()))
        access.ensure(URL, DATA, headers={"X-Key": "k"})
        self.assertIn(b"X-Key: k", self.device.streams[0].writes[0])

    def test_flash_is_full(self):
        """What flash did not take has not been got: 77777 and FLASH."""
        os.mkdir(self.folder.file("credentials.0"))
        access = self.access(http(body()), http(body()))
        self.assertEqual(access.ensure(URL, DATA, attempts=2), "77777")
        self.assertEqual(access.error.name, "FLASH")
        self.assertEqual(access.device_config, EMPTY)
        self.assertIsNone(access.source)

    def test_flash_holds_nonsense(self):
        """A whole record that breaks the rules is fetched anew."""
        for record in ({}, [], {"device": {}, "connect": {}}):
            Store(self.folder.path).clear()
            Store(self.folder.path).save(record)
            access = self.access(http(body()))
            self.assertFalse(access.load())
            self.assertEqual(access.error.name, "FIELD")
            self.assertEqual(access.ensure(URL, DATA), "00000")
            self.assertEqual(access.source, "server")

    def test_a_candidate(self):
        """New credentials are not confirmed by being fetched."""
        access = self.access(http(body()))
        access.ensure(URL, DATA)
        self.assertEqual(self.folder.names(), ["credentials.0"])
        access.store.confirm()
        self.assertEqual(len(self.folder.names()), 2)

    def test_load_and_forget(self):
        """load() says whether there was something; forget() takes it away."""
        access = self.access(http(body()))
        self.assertFalse(access.load())
        access.ensure(URL, DATA)
        again = self.access()
        self.assertTrue(again.load())
        self.assertEqual(again.device_config, expected())
        again.forget()
        self.assertEqual(again.device_config, EMPTY)
        self.assertIsNone(again.source)
        self.assertEqual(self.folder.names(), [])
        self.assertFalse(again.load())

    def test_request_does_not_touch_flash(self):
        """The seed's call keeps nothing."""
        access = self.access(http(body()))
        access.request(URL, DATA)
        self.assertEqual(self.folder.names(), [])

    def test_a_store_that_is_given(self):
        """It takes the place of the board's flash."""

        class Memory:
            record = None

            def load(self):
                return self.record

            def save(self, record):
                self.record = record

            def pending(self):
                return {}

        memory = Memory()
        access = self.access(http(body()), store=memory)
        self.assertEqual(access.ensure(URL, DATA), "00000")
        record = memory.record
        self.assertEqual(record.pop("time"), fakes.NOW)
        self.assertIsNone(record.pop("requestId"))
        self.assertEqual(record, expected())
        self.assertEqual(self.folder.names(), [])

    def test_without_a_board(self):
        """The current folder is the flash, and the system's the random numbers."""
        from point import provision

        here = os.getcwd()
        patch = fakes.Patch()
        patch.set(provision, "sleep_ms", lambda ms: None)
        os.chdir(self.folder.path)
        try:
            access = PointAccess(post=Post(OSError(104), Response(body())))
            self.assertEqual(access.ensure(URL, DATA), "00000")
        finally:
            os.chdir(here)
            patch.undo()
        names = self.folder.names()
        self.assertEqual([n for n in names if n[:7] != "pending"], ["credentials.0"])

"""point.aliyun.register_https: what is asked, and what is believed of an answer."""

import unittest

import cloud
import fakes
from cloud import DATA, KEY, NAME, TRUST
from fakes import http

from point import provision
from point.access import PointAccess
from point.aliyun.register_https import Transport
from point.store import Store

DATA_OF_ONE = {"productKey": KEY, "deviceName": NAME, "deviceSecret": "s"}
GOOD = b'{"code":200,"data":{"productKey":"%s","deviceName":"%s","deviceSecret":"s"}}'
GOOD = GOOD.replace(b"%s", KEY.encode(), 1).replace(b"%s", NAME.encode())
REQUEST = {"productKey": KEY, "deviceName": NAME, "random": "00ff", "sign": "ab12"}
REQUEST["signMethod"] = "hmacsha256"


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.patch = fakes.Patch()
        fakes.hold(self.patch)
        self.patch.set(provision, "sleep_ms", lambda ms: None)

    def tearDown(self):
        self.patch.undo()
        self.folder.remove()

    def boot(self, reply, by="https", **more):
        self.board = fakes.Board(self.folder.path, [reply])
        access = PointAccess(self.board, trust=TRUST, store=Store(self.folder.path))
        access.identity = cloud.registration(by, **more)
        return access

    def code(self, reply, name):
        """The code for a reply that gives no credentials, for a reason of that name."""
        access = self.boot(reply)
        code = access.ensure(None, DATA, 1)
        self.assertEqual(access.error.name, name, reply[:80])
        self.assertEqual(access.device_config["device"]["deviceSecret"], "")
        self.assertIsNone(access.source)
        kept = [n for n in self.folder.names() if n[:7] != "pending"]
        self.assertEqual(kept, [])
        self.assertEqual([s.closed for s in self.board.streams], [1])
        self.detail = access.error.detail
        return code


class Request(Case):
    def test_bytes(self):
        """A form in one write, each member once; nothing else of ours is in it."""
        access = self.boot(http(GOOD), region="ap-southeast-1")
        way = Transport(access, None)
        self.assertEqual(self.board.connected, [])
        self.assertEqual(way.ask(REQUEST), ("00000", DATA_OF_ONE))
        (written,) = self.board.streams[0].writes
        head, form = written.decode().split("\r\n\r\n")
        self.assertEqual(
            head.split("\r\n"),
            [
                "POST /auth/register/device HTTP/1.1",
                "Host: iot-auth.ap-southeast-1.aliyuncs.com",
                "Content-Type: application/x-www-form-urlencoded",
                "Content-Length: %d" % len(form),
            ],
        )
        members = ["%s=%s" % (name, REQUEST[name]) for name in REQUEST]
        self.assertEqual(sorted(form.split("&")), sorted(members))

    def test_connection(self):
        """Under the access's trust and its one deadline, kept open until close()."""
        access = self.boot(http(GOOD))
        access.timeout_s = 7
        way = Transport(access, "https://a:8443/b")
        way.ask(REQUEST)
        self.assertEqual(self.board.connected, [("a", 8443, TRUST, 7)])
        self.assertEqual(self.board.streams[0].deadlines, [])
        self.assertEqual(self.board.streams[0].closed, 0)
        way.close()
        way.close()
        self.assertEqual(self.board.streams[0].closed, 1)


class Answers(Case):
    def test_refusals(self):
        """The cloud's code as it came, whatever the HTTP status says."""
        for status in ("200 OK", "403 Forbidden", "400 x", "500 x"):
            for code in (6288, 6100, 1000, 99999999):
                body = b'{"code":%d,"message":"x"}' % code
                self.assertEqual(self.code(http(body, status), "REFUSED"), str(code))
                self.assertIn("the cloud answered %d: active" % code, self.detail)

    def test_trouble_of_the_service(self):
        """The system's own codes say nothing of the device, and are not made to."""
        for code in (0, 201, 400, 401, 403, 429, 460, 500, 503):
            body = b'{"code":%d,"data":{},"message":"x"}' % code
            self.assertEqual(self.code(http(body), "REFUSED"), str(code))
            self.assertEqual(self.detail, "the cloud answered %d" % code)

    def test_refusal_with_a_secret(self):
        """Only 200 gives credentials."""
        for code in (201, 6288, 2000):
            body = GOOD.replace(b"200", b"%d" % code)
            self.assertEqual(self.code(http(body), "REFUSED"), str(code))

    def test_success_with_another_status(self):
        """Only HTTP 200 gives them, too."""
        for status in ("201 Created", "403 Forbidden", "500 x", "302 Found"):
            self.assertEqual(self.code(http(GOOD, status), "HTTP_STATUS"), "77777")

    def test_no_code(self):
        """A code that is none, or no number, is no answer."""
        for value in (
            b"",
            b'"code":null,',
            b'"code":"200",',
            b'"code":"6288",',
            b'"code":200.0,',
            b'"code":true,',
            b'"code":-1,',
            b'"code":100000000,',
            b'"code":[200],',
            b'"code":{},',
        ):
            body = GOOD.replace(b'"code":200,', value)
            self.assertEqual(self.code(http(body), "FIELD"), "77777")

    def test_not_json(self):
        """HTML, half of it, two of it: MALFORMED."""
        for body in (
            b"",
            b"<html></html>",
            b"code=200",
            b"[]",
            b"null",
            b"200",
            b'"x"',
            GOOD[:-1],
            GOOD + GOOD,
            GOOD.replace(b",", b""),
            b"\xff\xfe",
            b"[" * 500,
        ):
            self.assertEqual(self.code(http(body), "MALFORMED"), "77777")
            self.assertEqual(self.code(http(body, "502 x"), "HTTP_STATUS"), "77777")

    def test_oversized(self):
        """Over 4 KB nothing is read to the end, nor taken."""
        body = GOOD + b" " * (4097 - len(GOOD))
        self.assertEqual(self.code(http(body), "TOO_LARGE"), "77777")
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertEqual(self.code(head + b"FFFFFFF\r\n", "TOO_LARGE"), "77777")
        access = self.boot(http(body[:4096]))
        self.assertEqual(access.ensure(None, DATA, 1), "00000")

    def test_cut_anywhere(self):
        """A connection that ends at any byte of the answer: no credentials."""
        whole = http(GOOD)
        head = whole.index(b"\r\n\r\n") + 4
        for end in list(range(0, head, 7)) + list(range(head, len(whole), 5)):
            self.assertEqual(self.code(whole[:end], "CLOSED"), "77777")

    def test_chunked(self):
        """As some gateways answer."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
        access = self.boot(head + chunk)
        self.assertEqual(access.ensure(None, DATA, 1), "00000")
        self.assertEqual(access.device_config["device"]["deviceSecret"], "s")

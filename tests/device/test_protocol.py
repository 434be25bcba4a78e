"""point.protocol: both directions of the exchange, and what neither believes."""

import json
import unittest

import fakes

from point import protocol
from point.errors import PointError

IMEI = "490154203237518"


class Request(unittest.TestCase):
    def refused(self, body, name):
        with self.assertRaises(PointError) as raised:
            protocol.decode_request(body)
        self.assertEqual(raised.exception.name, name, body[:40])

    def test_there_and_back(self):
        """The server reads what the board wrote."""
        sent = protocol.encode_request(IMEI, "a1B2")
        self.assertEqual(sent, {"imei": IMEI, "productKey": "a1B2"})
        self.assertEqual(protocol.decode_request(json.dumps(sent).encode()), sent)

    def test_product_key_may_be_missing(self):
        """The seed leaves the request to the customer; the IMEI is what we need."""
        for body in ('{"imei":"%s"}', '{"imei":"%s","productKey":null}'):
            found = protocol.decode_request((body % IMEI).encode())
            self.assertEqual(found, {"imei": IMEI, "productKey": None})

    def test_more_is_allowed(self):
        """A customer's own members do not disturb."""
        body = json.dumps({"imei": IMEI, "x": [1], "y": {"z": None}}).encode()
        self.assertEqual(protocol.decode_request(body)["imei"], IMEI)

    def test_bad_imei(self):
        """Neither the board nor the server lets a bad IMEI through."""
        for value in (None, "", "1", IMEI[:14] + "0", -1, int(IMEI), [IMEI], True):
            self.refused(json.dumps({"imei": value}).encode(), "IMEI")
            with self.assertRaises(PointError):
                protocol.encode_request(value, "a")
        self.refused(b"{}", "IMEI")

    def test_bad_product_key(self):
        """It is a word."""
        for value in ("", "a/b", "..", 1, True, [], {}, "x" * 65):
            self.refused(
                json.dumps({"imei": IMEI, "productKey": value}).encode(), "FIELD"
            )

    def test_bad_body(self):
        """Not JSON, not an object, too large."""
        for body in (
            b"",
            b"{",
            b'{"imei" "1"}',
            b"\xff",
            b'{"a":' * 9 + b"1" + b"}" * 9,
        ):
            self.refused(body, "MALFORMED")
        for body in (b"[]", b"null", b"1", b'"x"', b"true"):
            self.refused(body, "MALFORMED")
        body = b'{"imei":"%s"}' % IMEI.encode()
        protocol.decode_request(body + b" " * (4096 - len(body)))
        self.refused(body + b" " * (4097 - len(body)), "TOO_LARGE")


class Reply(unittest.TestCase):
    def decode(self, reply, status=200):
        return protocol.decode_reply(status, json.dumps(reply).encode())

    def refused(self, reply, name, status=200):
        with self.assertRaises(PointError) as raised:
            if type(reply) is bytes:
                protocol.decode_reply(status, reply)
            else:
                self.decode(reply, status)
        self.assertEqual(raised.exception.name, name, repr(reply)[:60])

    def test_there_and_back(self):
        """The board reads what the server wrote."""
        body = protocol.encode_reply("00000", fakes.config())
        code, config = protocol.decode_reply(200, body)
        expected = fakes.config()
        expected["device"]["productSecret"] = None
        self.assertEqual((code, config), ("00000", expected))
        body = protocol.encode_reply("42901", retry_after=30)
        self.assertEqual(json.loads(body), {"code": "42901", "retryAfter": 30})
        self.assertEqual(protocol.decode_reply(429, body), ("42901", None))

    def test_refusals(self):
        """Any code but success is the server's own, with any status."""
        for code in ("40301", "1", "77777", "99999", "FAIL", "x" * 32):
            for status in (200, 400, 403, 500):
                self.assertEqual(self.decode({"code": code}, status), (code, None))

    def test_refusal_with_a_result(self):
        """A result beside a refusal is not looked at."""
        reply = {"code": "40301", "result": fakes.config()}
        self.assertEqual(self.decode(reply), ("40301", None))

    def test_no_code(self):
        """A reply without a code is told apart, but only if it is HTTP 200."""
        self.refused({}, "NO_CODE")
        self.refused({"result": fakes.config()}, "NO_CODE")
        self.refused({}, "HTTP_STATUS", 500)

    def test_codes_that_are_none(self):
        """A code is a short word."""
        for code in (
            None,
            0,
            1,
            True,
            False,
            1.5,
            [],
            {},
            "",
            "x" * 33,
            "a b",
            "a\n",
            "..",
        ):
            self.refused({"code": code}, "FIELD")
            self.refused({"code": code}, "HTTP_STATUS", 502)

    def test_success_needs_status_200(self):
        """A gateway's page with good JSON under another status is no success."""
        reply = {"code": "00000", "result": fakes.config()}
        for status in (100, 201, 202, 204, 301, 302, 400, 404, 500, 503, 0, -1):
            self.refused(reply, "HTTP_STATUS", status)

    def test_success_needs_a_result(self):
        """00000 without credentials is none."""
        self.refused({"code": "00000"}, "FIELD")
        for result in (
            None,
            [],
            "x",
            1,
            {},
            {"device": {}},
            {"device": {}, "connect": {}},
        ):
            self.refused({"code": "00000", "result": result}, "FIELD")

    def test_bad_body(self):
        """Not JSON, not an object, too large; under another status that counts."""
        for body in (b"", b"<html>", b'{"code":"00000"', b"\x00\x01", b"[" * 1000):
            self.refused(body, "MALFORMED")
            self.refused(body, "HTTP_STATUS", 404)
        for body in (b"[]", b"null", b"1", b'"00000"'):
            self.refused(body, "MALFORMED")
        self.refused(b" " * 4097, "TOO_LARGE")

    def test_size_at_the_edge(self):
        """4096 bytes are read, 4097 are not."""
        body = protocol.encode_reply("00000", fakes.config())
        code, _ = protocol.decode_reply(200, body + b" " * (4096 - len(body)))
        self.assertEqual(code, "00000")
        self.refused(body + b" " * (4097 - len(body)), "TOO_LARGE")

    def test_http_status_of_codes(self):
        """The first three digits, and 200 for success."""
        for code, status in (
            ("00000", 200),
            ("40001", 400),
            ("42901", 429),
            ("50001", 500),
        ):
            self.assertEqual(protocol.http_status(code), status)

"""point.protocol: both directions of the exchange, and what neither believes."""

import json
import unittest

import fakes

from point import protocol, seal
from point.errors import PointError
from point.host import protocol_server

IMEI = "490154203237518"
KEY = bytes(range(32))
ID = "00112233445566778899aabbccddeeff"
IV = bytes(range(16))
NAMES = {"imei": IMEI, "productKey": "a1B2"}


def read(**more):
    """What the server reads of a request of version 1."""
    found = {"imei": IMEI, "productKey": None, "time": 0}
    found.update({"requestId": None, "sign": None, "proof": None, "ack": None})
    found.update(more)
    return found


class Request(unittest.TestCase):
    def refused(self, body, name):
        with self.assertRaises(PointError) as raised:
            protocol_server.decode_request(body)
        self.assertEqual(raised.exception.name, name, body[:40])

    def test_there_and_back(self):
        """The server reads what the board wrote."""
        sent = protocol.encode_request(IMEI, "a1B2")
        self.assertEqual(sent, {"imei": IMEI, "productKey": "a1B2"})
        found = protocol_server.decode_request(json.dumps(sent).encode())
        self.assertEqual(found, read(productKey="a1B2"))

    def test_product_key_may_be_missing(self):
        """The seed leaves the request to the customer; the IMEI is what we need."""
        for body in ('{"imei":"%s"}', '{"imei":"%s","productKey":null}'):
            found = protocol_server.decode_request((body % IMEI).encode())
            self.assertEqual(found, read())

    def test_more_is_allowed(self):
        """A customer's own members do not disturb."""
        body = json.dumps({"imei": IMEI, "x": [1], "y": {"z": None}}).encode()
        self.assertEqual(protocol_server.decode_request(body)["imei"], IMEI)

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
        protocol_server.decode_request(body + b" " * (4096 - len(body)))
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
        body = protocol_server.encode_reply("00000", fakes.config())
        code, config, retry_after = protocol.decode_reply(200, body)
        expected = fakes.config()
        expected["device"]["productSecret"] = None
        self.assertEqual((code, config, retry_after), ("00000", expected, 0))
        body = protocol_server.encode_reply("42901", retry_after=30)
        self.assertEqual(json.loads(body), {"code": "42901", "retryAfter": 30})
        self.assertEqual(protocol.decode_reply(429, body), ("42901", None, 30))

    def test_refusals(self):
        """Any code but success is the server's own, with any status."""
        for code in ("40301", "1", "77777", "99999", "FAIL", "x" * 32):
            for status in (200, 400, 403, 500):
                self.assertEqual(self.decode({"code": code}, status), (code, None, 0))

    def test_refusal_with_a_result(self):
        """A result beside a refusal is not looked at."""
        reply = {"code": "40301", "result": fakes.config()}
        self.assertEqual(self.decode(reply), ("40301", None, 0))

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
        body = protocol_server.encode_reply("00000", fakes.config())
        code = protocol.decode_reply(200, body + b" " * (4096 - len(body)))[0]
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
            self.assertEqual(protocol_server.http_status(code), status)

    def test_http_status_of_every_refusal(self):
        """Each code that both sides name comes with a status of its own kind."""
        names = "BAD_REQUEST BAD_SIGNATURE REPLAYED UNKNOWN_IMEI REVOKED WAITING "
        names += "ALREADY_ISSUED SLOW_DOWN POOL_EMPTY INTERNAL"
        codes = [getattr(protocol, name) for name in names.split()]
        self.assertEqual(
            codes,
            "40001 40101 40102 40301 40302 40303 40901 42901 50301 50001".split(),
        )
        for code in codes:
            self.assertTrue(400 <= protocol_server.http_status(code) < 600)

    def test_retry_after(self):
        """Whole seconds, an hour at most; all else is none."""
        for given, found in ((1, 1), (3600, 3600), (3601, 3600), (10**12, 3600)):
            reply = {"code": "42901", "retryAfter": given}
            self.assertEqual(self.decode(reply, 429), ("42901", None, found))
        for given in (0, -1, 1.5, True, False, None, "30", [], {}, [30]):
            reply = {"code": "42901", "retryAfter": given}
            self.assertEqual(self.decode(reply, 429), ("42901", None, 0))

    def test_retry_after_of_a_success(self):
        """There is nothing to retry."""
        reply = {"code": "00000", "result": fakes.config(), "retryAfter": 30}
        self.assertEqual(self.decode(reply)[2], 0)

    def test_code_alone(self):
        """decode_code() gives the code and the reply, and judges no result."""
        reply = {"code": "00000", "x": 1}
        body = json.dumps(reply).encode()
        self.assertEqual(protocol.decode_code(200, body), ("00000", reply))
        body = json.dumps({"code": "40301"}).encode()
        self.assertEqual(protocol.decode_code(403, body), ("40301", {"code": "40301"}))
        for status, body, name in (
            (404, b'{"code":"00000"}', "HTTP_STATUS"),
            (200, b"{}", "NO_CODE"),
            (200, b"<html>", "MALFORMED"),
            (200, b'{"code":0}', "FIELD"),
            (200, b" " * 4097, "TOO_LARGE"),
        ):
            with self.assertRaises(PointError) as raised:
                protocol.decode_code(status, body)
            self.assertEqual(raised.exception.name, name)


class Claim(unittest.TestCase):
    def read(self, sent):
        return protocol_server.decode_request(json.dumps(sent).encode())

    def test_there_and_back(self):
        """The server reads what the board signed, and the signature holds."""
        sent = protocol.claim(NAMES, ID, KEY, 1800000000)
        self.assertEqual(
            sorted(sent),
            sorted(list(NAMES) + ["requestId", "time", "signMethod", "sign"]),
        )
        self.assertEqual(sent["signMethod"], "hmacsha256")
        sign = seal.sign(KEY, "", IMEI, "a1B2", ID, 1800000000)
        found = self.read(sent)
        expected = read(productKey="a1B2", requestId=ID, sign=sign, time=1800000000)
        self.assertEqual(found, expected)

    def test_signature_is_pinned(self):
        """Computed with openssl dgst -sha256 -mac HMAC over the documented text."""
        sent = protocol.claim(NAMES, ID, KEY)
        self.assertEqual(sent["time"], 0)
        self.assertEqual(
            sent["sign"],
            "351059bf4a535189ca4937b75b65f2ff394f1d67324a877033559b28ca0c43b0",
        )

    def test_everything_is_signed(self):
        """Another IMEI, product, id, time or key is another signature."""
        signs = [
            protocol.claim(names, request_id, key, time)["sign"]
            for names, request_id, key, time in (
                (NAMES, ID, KEY, 0),
                (NAMES, ID, KEY, 1),
                (NAMES, "f" * 32, KEY, 0),
                (NAMES, ID, b"k" * 32, 0),
                ({"imei": IMEI, "productKey": "a1B3"}, ID, KEY, 0),
                ({"imei": "356938035643809", "productKey": "a1B2"}, ID, KEY, 0),
            )
        ]
        self.assertEqual(len(set(signs)), len(signs))

    def test_proof(self):
        """A board that has a secret proves it; the secret itself is not sent."""
        self.assertNotIn("proof", protocol.claim(NAMES, ID, KEY, 7, None))
        self.assertNotIn("proof", protocol.claim(NAMES, ID, KEY, 7, ""))
        sent = protocol.claim(NAMES, ID, KEY, 7, "s3cret")
        proof = seal.sign(b"s3cret", "proof", IMEI, "a1B2", ID, 7)
        self.assertEqual(self.read(sent)["proof"], proof)
        self.assertNotEqual(sent["proof"], sent["sign"])
        self.assertNotIn("s3cret", json.dumps(sent))

    def test_callers_request(self):
        """It is not changed; more members of it go along; it cannot bring its own."""
        given = {"imei": IMEI, "productKey": "a1B2", "x": [1]}
        given.update({"requestId": "mine", "time": 5, "sign": "mine"})
        before = dict(given)
        sent = protocol.claim(given, ID, KEY)
        self.assertEqual(given, before)
        self.assertEqual(sent["x"], [1])
        self.assertEqual((sent["requestId"], sent["time"]), (ID, 0))
        self.assertEqual(sent["sign"], protocol.claim(NAMES, ID, KEY)["sign"])

    def test_bad_imei(self):
        """Nothing is signed for an IMEI that is none."""
        for value in (None, "", "1", IMEI[:14] + "0", 7):
            with self.assertRaises(PointError) as raised:
                protocol.claim({"imei": value, "productKey": "a"}, ID, KEY)
            self.assertEqual(raised.exception.name, "IMEI")

    def test_acknowledge(self):
        """The server can tell an acknowledgement from a request, and whose it is."""
        sent = protocol.acknowledge(dict(NAMES, more="x"), ID, KEY)
        ack = seal.sign(KEY, "ack", IMEI, "a1B2", ID)
        self.assertEqual(
            self.read(sent), read(productKey="a1B2", requestId=ID, ack=ack)
        )
        self.assertEqual(sorted(sent), ["ack", "imei", "productKey", "requestId"])
        self.assertEqual(
            ack, "3eb2b3e5fc4f422f2c924491efd5cdea8d40ddd5753fbaa422af15bef579cb32"
        )

    def test_the_server_is_strict(self):
        """Ids and signatures are lower-case hex of one length, times whole numbers."""
        good = protocol.claim(NAMES, ID, KEY, 7, "s")
        good["ack"] = good["sign"]
        self.read(good)
        lengths = {"requestId": 32, "sign": 64, "proof": 64, "ack": 64}
        for name in lengths:
            size = lengths[name]
            for value in (
                "",
                "a" * (size - 1),
                "a" * (size + 1),
                "A" * size,
                "g" * size,
                " " * size,
                "0x" + "a" * (size - 2),
                "\u00e9" * size,
                1,
                True,
                [],
                {},
            ):
                with self.assertRaises(PointError) as raised:
                    self.read(dict(good, **{name: value}))
                self.assertEqual(raised.exception.name, "FIELD", (name, value))
            self.assertIsNone(self.read(dict(good, **{name: None}))[name])
        for value in (-1, 1.0, True, "7", None, [], 1 << 41):
            with self.assertRaises(PointError) as raised:
                self.read(dict(good, time=value))
            self.assertEqual(raised.exception.name, "FIELD", value)
        for value in ("hmacmd5", "", None, 1, "HMACSHA256"):
            with self.assertRaises(PointError) as raised:
                self.read(dict(good, signMethod=value))
            self.assertEqual(raised.exception.name, "FIELD", value)


class Sealed(unittest.TestCase):
    def setUp(self):
        self.body = protocol_server.encode_sealed_reply(fakes.config(), KEY, ID, IV)

    def decode(self, body, key=KEY, request_id=ID, status=200):
        return protocol.decode_reply(status, body, key, request_id)

    def refused(self, body, name, *more):
        with self.assertRaises(PointError) as raised:
            self.decode(body, *more)
        self.assertEqual(raised.exception.name, name, body[:60])

    def test_there_and_back(self):
        """The board reads what the server sealed for it."""
        expected = fakes.config()
        expected["device"]["productSecret"] = None
        self.assertEqual(self.decode(self.body), ("00000", expected, 0))
        self.assertEqual(sorted(json.loads(self.body)), ["code", "sealed"])

    def test_nothing_is_in_clear(self):
        """Neither the secret nor the names are in the body."""
        for word in (b"deviceSecret", b"0123456789abcdef", b"board-0001", b"mqtt"):
            self.assertNotIn(word, self.body)

    def test_another_key_or_id(self):
        """A reply for another board or another request does not open."""
        self.refused(self.body, "SEAL", b"k" * 32)
        self.refused(self.body, "SEAL", KEY, "f" * 32)

    def test_clear_success(self):
        """With a key nothing that came in clear counts, whatever lies beside it."""
        self.refused(protocol_server.encode_reply("00000", fakes.config()), "SEAL")
        for value in (None, 1, True, [], {}):
            reply = {"code": "00000", "result": fakes.config(), "sealed": value}
            self.refused(json.dumps(reply).encode(), "SEAL")

    def test_result_beside_the_seal(self):
        """What counts is what was sealed."""
        other = fakes.config()
        other["device"]["deviceName"] = "other"
        reply = json.loads(self.body)
        reply["result"] = other
        found = self.decode(json.dumps(reply).encode())[1]
        self.assertEqual(found["device"]["deviceName"], "board-0001")

    def test_damage(self):
        """Not hex, cut at each byte, each byte changed: all refused."""
        text = json.loads(self.body)["sealed"]
        for end in range(len(text)):
            self.refused(
                json.dumps({"code": "00000", "sealed": text[:end]}).encode(), "SEAL"
            )
        for place in range(0, len(text), 2):
            other = "%02x" % (int(text[place : place + 2], 16) ^ 1)
            broken = text[:place] + other + text[place + 2 :]
            self.refused(
                json.dumps({"code": "00000", "sealed": broken}).encode(), "SEAL"
            )
        # No blanks here: MicroPython's unhexlify skips them, which the MAC survives.
        for broken in ("", "x" * 96, text + "00", "00" + text, text + "0", "\u00e9"):
            self.refused(
                json.dumps({"code": "00000", "sealed": broken}).encode(), "SEAL"
            )

    def test_sealed_nonsense(self):
        """The holder of the key is believed to be it, but not to be right."""
        bad = fakes.config()
        del bad["device"]["deviceName"]
        for value, name in (
            (bad, "FIELD"),
            ({}, "FIELD"),
            ([], "MALFORMED"),
            (None, "MALFORMED"),
        ):
            body = protocol_server.encode_sealed_reply(value, KEY, ID, IV)
            self.refused(body, name)
        context = ID.encode()
        for text in (b"", b"{", b"\xff", b'{"device" {}}'):
            box = seal.seal(KEY, b"seal" + context, context, text, IV)
            reply = {"code": "00000", "sealed": seal.hexed(box)}
            self.refused(json.dumps(reply).encode(), "MALFORMED")

    def test_status(self):
        """A sealed success under another status than 200 is none."""
        for status in (201, 302, 403, 500):
            self.refused(self.body, "HTTP_STATUS", KEY, ID, status)

    def test_refusals_are_believed_in_clear(self):
        """They need no seal: a board only slows down for them."""
        body = protocol_server.encode_reply("42901", retry_after=30)
        self.assertEqual(self.decode(body, status=429), ("42901", None, 30))
        self.refused(b'{"sealed":"00"}', "NO_CODE")

    def test_without_a_key(self):
        """A board without a key does not take a sealed reply for anything."""
        with self.assertRaises(PointError) as raised:
            protocol.decode_reply(200, self.body)
        self.assertEqual(raised.exception.name, "FIELD")

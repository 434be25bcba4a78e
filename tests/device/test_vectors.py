"""The board's half of version 2, held to values that other code made.

tests/golden/make_provisioning.py makes them without point/; docs/protocol.md shows the
first of them.
"""

import json
import unittest

from point import protocol, seal
from point.compat import binascii

FILE = __file__.rsplit("/", 1)[0] + "/../golden/provisioning.json"
with open(FILE) as file:
    CASES = json.load(file)


def key_of(case):
    """The claim key as bytes."""
    return binascii.unhexlify(case["claimKey"])


def names_of(case):
    """The members that every signature is over."""
    return case["imei"], case["productKey"], case["requestId"]


class Vectors(unittest.TestCase):
    def test_there_are_some(self):
        """A file that lost its cases proves nothing."""
        self.assertTrue(len(CASES) >= 4)

    def test_claim_keys(self):
        """Derived from the master, or the product's secret itself."""
        for case in CASES:
            if case["master"] is None:
                found = case["productSecret"].encode()
            else:
                master = binascii.unhexlify(case["master"])
                found = seal.claim_key(master, case["productKey"], case["imei"])
            self.assertEqual(seal.hexed(found), case["claimKey"], case["name"])

    def test_request(self):
        """What the board sends, as a whole."""
        for case in CASES:
            sent = protocol.claim(
                protocol.encode_request(case["imei"], case["productKey"]),
                case["requestId"],
                key_of(case),
                case["time"],
                case["deviceSecret"],
            )
            expected = {"signMethod": "hmacsha256"}
            for name in (
                "imei",
                "productKey",
                "requestId",
                "time",
                "sign",
                "proof",
            ):
                expected[name] = case[name]
            self.assertEqual(sent, expected, case["name"])

    def test_acknowledgement(self):
        """Its own word, so that no request can be turned into one."""
        for case in CASES:
            sent = protocol.acknowledge(case, case["requestId"], key_of(case))
            expected = {}
            for name in ("imei", "productKey", "requestId", "ack"):
                expected[name] = case[name]
            self.assertEqual(sent, expected, case["name"])

    def test_reply(self):
        """The board reads what was sealed."""
        for case in CASES:
            body = json.dumps({"code": "00000", "sealed": case["sealed"]}).encode()
            code, config, retry_after_s = protocol.decode_reply(
                200, body, key_of(case), case["requestId"]
            )
            self.assertEqual((code, retry_after_s), ("00000", 0))
            device = config["device"]
            self.assertEqual(device["deviceSecret"], case["deviceSecret"])
            self.assertEqual(device["productSecret"], case["productSecret"])
            self.assertEqual(config["connect"], case["connect"], case["name"])

    def test_sealing(self):
        """The same bytes come out, which is what a server sends."""
        for case in CASES:
            context = case["requestId"].encode()
            box = seal.seal(
                key_of(case),
                b"seal" + context,
                context,
                case["plaintext"].encode(),
                binascii.unhexlify(case["iv"]),
            )
            self.assertEqual(seal.hexed(box), case["sealed"], case["name"])

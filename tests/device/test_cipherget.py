"""point.aliyun.cipher_get: a key that the cloud derives, and replies that give none."""

import json

import fakes
from alinks import DEVICE, Case, mutations

from point.aliyun import cipher
from point.aliyun import cipher_get as cipherget
from point.compat import binascii
from point.errors import PointError

NAME = "thing/cipher/get"
RANDOM = "000102030405060708090a0b0c0d0eff"


class Get(Case):
    def setUp(self):
        Case.setUp(self)
        self.keys = []
        self.connect()

    def asked(self, cipher_type=3, random=RANDOM):
        """The request that is sent."""
        cipherget.ask(self.alink, cipher_type, random, self.keys.append)
        self.alink.step()
        return self.sent(NAME)[0]

    def data(self, **more):
        found = dict(DEVICE)
        found["secret"] = "0123456789abcdef0123456789ABCDEF"
        found.update(more)
        return found

    def test_request(self):
        """The members of the SDK's, for this device."""
        found = self.asked(4)
        self.assertEqual(found["method"], "thing.cipher.get")
        params = found["params"]
        self.assertEqual(params.pop("awssVer")["router"], "2.0")
        expected = dict(DEVICE)
        expected.update({"cipherType": 4, "random": RANDOM.upper()})
        self.assertEqual(params, expected)

    def test_key(self):
        """16 bytes, the hex in any case: what point.aliyun.cipher derives itself."""
        key = cipher.channel_key(3, "s3cret", RANDOM)
        for secret in (binascii.hexlify(key).decode(),) * 2:
            self.reply(NAME, self.asked(), 200, self.data(secret=secret.upper()))
            self.reply(NAME, self.asked(), 200, self.data(secret=secret))
        self.assertEqual(self.keys, [key] * 4)

    def test_no_key(self):
        """Refused, malformed, or another device's."""
        for code, data in (
            (460, self.data()),
            (6100, {}),
            (200, None),
            (200, []),
            (200, "x"),
            (200, {}),
            (200, {"secret": "0" * 32}),
            (200, self.data(secret=None)),
            (200, self.data(secret=7)),
            (200, self.data(secret="")),
            (200, self.data(secret="0" * 31)),
            (200, self.data(secret="0" * 33)),
            (200, self.data(secret="0" * 64)),
            (200, self.data(secret="g" * 32)),
            (200, self.data(secret="0 " * 16)),
            (200, self.data(secret=["0"] * 32)),
            (200, self.data(deviceName="board-0002")),
            (200, self.data(productKey=None)),
        ):
            message = {"id": self.asked()["id"], "code": code, "data": data}
            self.give(NAME + "_reply", message)
            self.alink.step()
            self.assertEqual(self.keys, [None], data)
            self.keys.clear()

    def test_nobody_replies(self):
        """After three tries."""
        self.asked()
        self.wait(25)
        self.assertEqual((len(self.sent(NAME)), self.keys), (2, []))
        self.wait(10)
        self.assertEqual((self.sent(NAME), self.keys), ([], [None]))

    def test_application_fails(self):
        """It is not asked again for that, and the log has no key."""

        def raising(key):
            self.keys.append(key)
            raise KeyError(key)

        cipherget.ask(self.alink, 3, RANDOM, raising)
        self.alink.step()
        self.reply(NAME, self.sent(NAME)[0], 200, self.data())
        self.wait(60)
        self.assertEqual((len(self.keys), self.sent(NAME)), (1, []))
        self.assertEqual(self.log[-1], ("failed", "KeyError"))

    def test_arguments(self):
        """What the cloud cannot derive is not asked for."""
        for cipher_type in (0, 1, 2, 5, 8, -3, "3", None, 3.0, True):
            with self.assertRaises(PointError) as raised:
                self.asked(cipher_type)
            self.assertEqual(raised.exception.name, "OPTION")
            self.assertIn("cipher_type", raised.exception.detail)
        for random in ("", "0" * 31, "0" * 33, "g" * 32, "0 " * 16, None, 7, bytes(32)):
            with self.assertRaises(PointError) as raised:
                self.asked(3, random)
            self.assertIn("random", raised.exception.detail)
        self.alink.step()
        self.assertEqual(self.sent(), [])

    def test_hostile(self):
        """Whatever is done to a reply, it is 16 bytes or None."""
        for seed in range(200):
            members = self.asked()
            good = {"id": members["id"], "code": 200, "data": self.data()}
            for each in mutations(fakes.Dice(seed + 1), json.dumps(good).encode(), 9):
                self.give(NAME + "_reply", each)
                self.alink.step()
            for key in self.keys:
                self.assertTrue(key is None or type(key) is bytes and len(key) == 16)
            self.assertTrue(len(self.keys) <= 1)
            self.keys.clear()

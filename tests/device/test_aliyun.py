"""point.aliyun.login: who a device says it is, and what it signs.

Alibaba's own SDKs' values are in tests/golden/alibaba.json; test_cloud_vectors.py
compares them.
"""

import unittest

from point.aliyun import login as aliyun
from point.compat import hashlib
from point.errors import PointError

DEVICE = {"productKey": "pk", "deviceName": "device", "deviceSecret": "secret"}
MANUAL = "fafd82a3d602b37fb0fa8b7892f24a477f851a14"  # the cloud manual's own example


class Sign(unittest.TestCase):
    def test_the_manual(self):
        """Names and values, sorted by name, however the dict has them."""
        members = {
            "timestamp": "789",
            "productKey": "pk",
            "clientId": "12345",
            "deviceName": "device",
        }
        self.assertEqual(aliyun.sign("hmacsha1", "secret", members), MANUAL)

    def test_lengths(self):
        """Lower-case hex of 16, 20 or 32 bytes; each method another."""
        for method, length in (("hmacmd5", 32), ("hmacsha1", 40), ("hmacsha256", 64)):
            found = aliyun.sign(method, "secret", {"a": "b"})
            self.assertEqual(len(found), length)
            self.assertEqual(found.lower(), found)

    def test_nothing_separates(self):
        """Alibaba's format: where a name ends is not signed. It must not be mended."""
        one = aliyun.sign("hmacsha256", "secret", {"ab": "c"})
        self.assertEqual(one, aliyun.sign("hmacsha256", "secret", {"a": "bc"}))
        self.assertNotEqual(one, aliyun.sign("hmacsha256", "secret", {"ab": "d"}))
        self.assertNotEqual(one, aliyun.sign("hmacsha256", "other", {"ab": "c"}))

    def test_long_secret(self):
        """Over a block it is hashed first, as HMAC says."""
        one = aliyun.sign("hmacsha256", "s" * 65, {"a": "b"})
        self.assertNotEqual(one, aliyun.sign("hmacsha256", "s" * 64, {"a": "b"}))

    def test_unknown_methods(self):
        """Only the three, spelled so; the error names them and not the given one."""
        for method in ("", "sha256", "hmacSha256", "HMACSHA256", "hmacnew", None, 5):
            with self.assertRaises(PointError) as raised:
                aliyun.sign(method, "s3cret", {"a": "b"})
            self.assertEqual(raised.exception.name, "OPTION")
            self.assertIn("hmacsha256", raised.exception.detail)
            self.assertNotIn("s3cret", raised.exception.detail)

    def test_a_firmware_without_the_hash(self):
        """LACKING says which, and the others still work."""

        class Fewer:
            sha256 = hashlib.sha256

        whole, aliyun.hashlib = aliyun.hashlib, Fewer
        try:
            for method, name in (("hmacmd5", "md5"), ("hmacsha1", "sha1")):
                with self.assertRaises(PointError) as raised:
                    aliyun.sign(method, "s3cret", {"a": "b"})
                self.assertEqual(raised.exception.name, "LACKING")
                self.assertIn("%s: no %s " % (method, name), raised.exception.detail)
                self.assertNotIn("s3cret", raised.exception.detail)
            found = aliyun.sign("hmacsha256", "secret", {"a": "b"})
        finally:
            aliyun.hashlib = whole
        self.assertEqual(found, aliyun.sign("hmacsha256", "secret", {"a": "b"}))


class Login(unittest.TestCase):
    def test_the_manual(self):
        """The whole of its example: plain TCP, HMAC-SHA1, a client id of its own."""
        connect = {"clientId": "12345", "ssl": 0, "signMethod": "hmacsha1"}
        self.assertEqual(
            aliyun.login(DEVICE, connect, "789"),
            (
                "12345|securemode=3,signmethod=hmacsha1,timestamp=789|",
                "device&pk",
                MANUAL,
            ),
        )

    def test_defaults(self):
        """SHA-256, TLS, the fixed time, and a client id that is unique."""
        client_id, user, password = aliyun.login(DEVICE, {})
        self.assertEqual(
            client_id,
            "pk.device|securemode=2,signmethod=hmacsha256,timestamp=2524608000000|",
        )
        self.assertEqual(user, "device&pk")
        members = {
            "clientId": "pk.device",
            "deviceName": "device",
            "productKey": "pk",
            "timestamp": "2524608000000",
        }
        self.assertEqual(password, aliyun.sign("hmacsha256", "secret", members))

    def test_without_a_timestamp(self):
        """It is in neither the client id nor the signature."""
        client_id, _, password = aliyun.login(DEVICE, {}, None)
        self.assertEqual(client_id, "pk.device|securemode=2,signmethod=hmacsha256|")
        members = {"clientId": "pk.device", "deviceName": "device", "productKey": "pk"}
        self.assertEqual(password, aliyun.sign("hmacsha256", "secret", members))

    def test_each_method(self):
        """The client id says which one it was."""
        for method in aliyun.METHODS:
            client_id, _, password = aliyun.login(DEVICE, {"signMethod": method})
            self.assertIn(",signmethod=%s," % method, client_id)
            members = {
                "clientId": "pk.device",
                "deviceName": "device",
                "productKey": "pk",
                "timestamp": aliyun.FIXED_TIME,
            }
            self.assertEqual(password, aliyun.sign(method, "secret", members))

    def test_a_client_id_of_64(self):
        """So long it may be, without what follows the bar."""
        client_id = aliyun.login(DEVICE, {"clientId": "c" * 64})[0]
        self.assertTrue(client_id.startswith("c" * 64 + "|"))

    def test_what_is_no_client_id(self):
        """Too long, also when it is made of names, or with a bar that would end it."""
        long = dict(DEVICE)
        long["deviceName"] = "d" * 62
        for device, connect in (
            (DEVICE, {"clientId": "c" * 65}),
            (DEVICE, {"clientId": "a|securemode=3"}),
            (DEVICE, {"clientId": "|"}),
            (long, {}),
        ):
            with self.assertRaises(PointError) as raised:
                aliyun.login(device, connect)
            self.assertEqual(raised.exception.name, "OPTION")
            self.assertIn("clientId", raised.exception.detail)
            self.assertNotIn("secret", raised.exception.detail)

    def test_arguments_stay(self):
        """What it is given is read, not changed."""
        device, connect = dict(DEVICE), {"ssl": 1}
        aliyun.login(device, connect)
        self.assertEqual((device, connect), (DEVICE, {"ssl": 1}))


class TokenLogin(unittest.TestCase):
    def test_shape(self):
        """The client id as it was given, the token as it is."""
        self.assertEqual(
            aliyun.token_login(DEVICE, {"clientId": "given01"}),
            ("given01|authType=connwl,securemode=-2|", "device&pk", "secret"),
        )

    def test_without_a_client_id(self):
        """None can be made up: the token belongs to the given one."""
        for connect in ({}, {"clientId": None}, {"clientId": ""}, {"clientId": "a|"}):
            with self.assertRaises(PointError) as raised:
                aliyun.token_login(DEVICE, connect)
            self.assertEqual(raised.exception.name, "OPTION")

    def test_not_in_clear(self):
        """The token is the password itself."""
        with self.assertRaises(PointError) as raised:
            aliyun.token_login(DEVICE, {"clientId": "given01", "ssl": 0})
        self.assertEqual(raised.exception.name, "OPTION")


class Host(unittest.TestCase):
    def test_region(self):
        """One host a product and region; Shanghai unless it is told."""
        self.assertEqual(aliyun.host("pk"), "pk.iot-as-mqtt.cn-shanghai.aliyuncs.com")
        for region in ("us-west-1", "eu-central-1"):
            found = aliyun.host("pk", region)
            self.assertEqual(found, "pk.iot-as-mqtt.%s.aliyuncs.com" % region)

    def test_instance(self):
        """An instance of one's own has its own host, whatever the region."""
        for region in (None, "us-west-1"):
            found = aliyun.host("pk", region, "iot-060a0abc")
            self.assertEqual(found, "iot-060a0abc.mqtt.iothub.aliyuncs.com")

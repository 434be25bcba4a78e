"""point.setup: from deployment's files to a PointAccess that is always strict."""

import json
import unittest

import fakes

from point import setup
from point.errors import IMEI, SETTING, PointError
from point.store import Store

NUMBER = "490154203237518"
PIN = "ab" * 32


class Board(fakes.Board):
    """With what prepare() asks for, and keys of its own."""

    key = b"k" * 32
    flash = b"f" * 32

    def imei(self):
        return NUMBER

    def claim_key(self):
        if isinstance(self.key, Exception):
            raise self.key
        return self.key

    def flash_key(self):
        return self.flash


class Prepare(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.board = Board(self.folder.path)
        self.folder.write("ca.der", b"\x30\x82")

    def tearDown(self):
        self.folder.remove()

    def prepare(self, **more):
        values = {"url": "https://p.example.com/v1", "productKey": "a1B2"}
        values["ca"] = "ca.der"
        values.update(more)
        values = {name: values[name] for name in values if values[name] is not None}
        self.folder.write("settings.json", json.dumps(values).encode())
        return setup.prepare(self.board)

    def refused(self, name, **more):
        with self.assertRaises(PointError) as raised:
            self.prepare(**more)
        self.assertEqual(raised.exception.name, name)
        return raised.exception

    def test_by_the_files(self):
        """Three settings and a CA are enough; the request is version 1's, unsigned."""
        access, url, request = self.prepare()
        self.assertEqual(url, "https://p.example.com/v1")
        self.assertEqual(request, {"imei": NUMBER, "productKey": "a1B2"})
        self.assertIs(access.board, self.board)
        self.assertEqual(access.trust, {"ca": b"\x30\x82", "pins": []})
        self.assertEqual((access.timeout_s, access.spread_s), (30, 60))
        self.assertEqual((access.overrides, access.post), ({}, None))
        self.assertEqual(self.board.connected, [])
        self.assertEqual(self.folder.names(), ["ca.der", "settings.json"])

    def test_keys_of_policies(self):
        """Which key signs and opens is the policy's to say."""
        self.assertEqual(self.prepare()[0].claim_key, b"k" * 32)
        access = self.prepare(policy="product-secret", productSecret="s3cret")[0]
        self.assertEqual(access.claim_key, b"s3cret")
        self.assertIsNone(self.prepare(policy="open")[0].claim_key)
        access = self.prepare(policy="open", productSecret="s3cret")[0]
        self.assertIsNone(access.claim_key)

    def test_no_claim_key(self):
        """A board that was given none says so, unless its policy needs none."""
        self.board.key = PointError(SETTING, "claim.key cannot be read")
        self.refused("SETTING")
        self.prepare(policy="open")
        self.prepare(policy="product-secret", productSecret="s3cret")

    def test_claim_key_that_is_none(self):
        """A key that was cut short is not a reason to go on without one."""
        for key in (b"", b"k", b"k" * 31, b"k" * 33):
            self.board.key = key
            self.refused("SETTING")

    def test_pins(self):
        """They are handed on with the CA, or alone."""
        access = self.prepare(pins=[PIN])[0]
        self.assertEqual(access.trust["pins"], [b"\xab" * 32])
        self.assertEqual(access.trust["ca"], b"\x30\x82")
        access = self.prepare(pins=[PIN], ca=None)[0]
        self.assertEqual(access.trust, {"pins": [b"\xab" * 32]})

    def test_other_settings(self):
        """Time limit, spread and MQTT go to the access."""
        mqtt = {"host": "broker", "port": 8884}
        access = self.prepare(timeoutS=9, spreadS=0, mqtt=mqtt)[0]
        self.assertEqual((access.timeout_s, access.spread_s), (9, 0))
        self.assertEqual(access.overrides, mqtt)

    def test_overrides(self):
        """The settings win over the server's MQTT; flash keeps what the server said."""
        mqtt = {"host": "broker", "will": {"topic": "gone", "message": "x"}}
        access = self.prepare(mqtt=mqtt)[0]
        access.store.save(fakes.config())
        self.assertTrue(access.load())
        connect = access.device_config["connect"]
        self.assertEqual((connect["host"], connect["qos"]), ("broker", 1))
        self.assertEqual(connect["will"], mqtt["will"])
        kept = Store(self.folder.path, b"f" * 32, self.board.random).load()
        self.assertEqual(kept, fakes.config())

    def test_overrides_are_this_objects(self):
        """They do not leak into an access that has none."""
        self.prepare(mqtt={"host": "broker"})
        self.assertEqual(self.prepare()[0].overrides, {})

    def test_flash_is_under_the_boards_key(self):
        """What one board wrote does not open on another; without a key it is clear."""
        self.prepare()[0].store.save(fakes.config())
        secret = fakes.config()["device"]["deviceSecret"].encode()
        self.assertNotIn(secret, self.folder.read("credentials.0"))
        self.assertTrue(self.prepare()[0].load())
        self.board.flash = b"o" * 32
        self.assertFalse(self.prepare()[0].load())
        self.board.flash = None
        access = self.prepare()[0]
        self.assertFalse(access.load())
        access.store.save(fakes.config())
        self.assertIn(secret, self.folder.read("credentials.0"))

    def test_missing_files(self):
        """Each is told by its name."""
        error = self.refused("SETTING", ca="other.der")
        self.assertEqual(error.detail, "other.der cannot be read")
        with self.assertRaises(PointError) as raised:
            setup.prepare(Board("no/such/folder"))
        self.assertEqual(raised.exception.detail, "settings.json cannot be read")

    def test_empty_ca(self):
        """A CA file without a byte in it verifies nobody, and is not taken for none."""
        self.folder.write("ca.der", b"")
        self.assertEqual(self.prepare()[0].trust["ca"], b"")

    def test_aliyun(self):
        """The cloud as the source: no url, no claim key, the IMEI for a name."""
        self.board.key = PointError(SETTING, "nobody may ask for it")
        access, url, request = self.prepare(
            url=None, source="aliyun", productSecret="s3cret"
        )
        self.assertIsNone(url)
        self.assertEqual(request, {"imei": NUMBER, "productKey": "a1B2"})
        self.assertIsNone(access.claim_key)
        self.assertEqual(access.trust["ca"], b"\x30\x82")
        expected = {"by": "https", "deviceName": NUMBER, "productSecret": "s3cret"}
        expected.update({"signMethod": "hmacsha256", "region": None})
        expected.update({"instanceId": None, "source": "aliyun"})
        self.assertEqual(access.identity, expected)
        self.assertIsNone(self.prepare(policy="open")[0].identity)

    def test_aliyun_in_full(self):
        """Each of its settings arrives where it is used."""
        given = {"deviceName": "board-0001", "signMethod": "hmacsha1"}
        given.update({"region": "eu-central-1", "instanceId": "iot-x"})
        given["productSecret"] = "s3cret"
        access, url, request = self.prepare(source="aliyun", register="https", **given)
        self.assertEqual(url, "https://p.example.com/v1")
        given.update({"by": "https", "source": "aliyun"})
        self.assertEqual(access.identity, given)
        for register in ("mqtt", "mqtt-token"):
            access = self.prepare(
                url=None, source="aliyun", productSecret="s", register=register
            )[0]
            self.assertEqual(access.identity["by"], register)

    def test_aliyun_with_what_does_nothing(self):
        """A url where none is asked, a client id where the cloud gives one."""
        common = {"source": "aliyun", "productSecret": "s3cret"}
        for register in ("mqtt", "mqtt-token"):
            error = self.refused("SETTING", register=register, **common)
            self.assertIn("url", error.detail)
        common["url"] = None
        common["mqtt"] = {"clientId": "mine"}
        error = self.refused("SETTING", register="mqtt-token", **common)
        self.assertIn("mqtt.clientId", error.detail)
        for register in ("https", "mqtt"):
            access = self.prepare(register=register, **common)[0]
            self.assertEqual(access.overrides, {"clientId": "mine"})

    def test_bad_settings(self):
        """An unknown setting ends it here."""
        self.refused("SETTING", timeout=3)

    def test_bad_imei(self):
        """What the modem raises comes through."""

        def failing():
            raise PointError(IMEI, "no SIM")

        self.board.imei = failing
        self.refused("IMEI")

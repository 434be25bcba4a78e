"""point.mqttauth: who a board says it is."""

import sys
import unittest

import fakes

from point import mqttauth
from point.aliyun import login as aliyun
from point.errors import PointError
from point.gizwits import login as gizwits


class Plain(unittest.TestCase):
    def test_default_client_id(self):
        """Product and name make the client id; the user is Alibaba's shape."""
        config = fakes.config()
        self.assertEqual(
            mqttauth.plain(config["device"], config["connect"], None),
            (
                "a1B2c3D4e5F.board-0001",
                "board-0001&a1B2c3D4e5F",
                "0123456789abcdef0123456789abcdef",
            ),
        )

    def test_client_id_of_the_server(self):
        """A client id from the server wins."""
        config = fakes.config()
        config["connect"]["clientId"] = "chosen"
        given = mqttauth.plain(config["device"], config["connect"], None)
        self.assertEqual(given[0], "chosen")


class Clouds(unittest.TestCase):
    def found(self, auth, **connect):
        """What settings() and the scheme's own function make of one device."""
        config = fakes.config()
        config["connect"].update(connect)
        config["connect"]["auth"] = auth
        found = mqttauth.settings(config, bytes)
        names = found["clientId"], found["user"], found["password"]
        return names, config["device"], config["connect"]

    def test_aliyun(self):
        """Signed, without a clock, with the method and the ssl of the settings."""
        for connect in ({}, {"ssl": 0}, {"signMethod": "hmacsha1", "clientId": "x"}):
            found, device, given = self.found("aliyun", **connect)
            self.assertEqual(found, aliyun.login(device, given, aliyun.FIXED_TIME))

    def test_aliyun_token(self):
        """The token is what the deviceSecret holds."""
        found, device, given = self.found("aliyun-token", clientId="given")
        self.assertEqual(found, aliyun.token_login(device, given))

    def test_gizwits(self):
        """Its nonce is drawn from what the board offers."""
        found, device, given = self.found("gizwits", clientId="did")
        self.assertEqual(found, gizwits.login(device, given, bytes))
        self.assertIn("signnonce=AAAAAAAAAA", found[1])

    def test_gizwits_classic(self):
        """No nonce, no sum."""
        found, device, given = self.found("gizwits-classic", clientId="did")
        self.assertEqual(found, gizwits.classic_login(device, given))

    def test_what_a_cloud_cannot_have(self):
        """It is an OPTION that is named, not a password that nobody takes."""
        for auth, connect, part in (
            ("aliyun", {"signMethod": "md5"}, "signMethod"),
            ("aliyun", {"clientId": "c" * 65}, "clientId"),
            ("aliyun-token", {}, "clientId"),
            ("gizwits", {}, "clientId"),
            ("gizwits-classic", {}, "clientId"),
        ):
            with self.assertRaises(PointError) as raised:
                self.found(auth, **connect)
            self.assertEqual(raised.exception.name, "OPTION", auth)
            self.assertIn(part, raised.exception.detail)

    def test_only_the_cloud_that_is_used_is_loaded(self):
        """A board of one scheme has no module of another in memory."""
        names = "aliyun", "aliyun.login", "aliyun.cipher", "gizwits", "gizwits.login"
        names = ["point." + name for name in names]
        for auth, expected in (
            ("plain", []),
            ("gizwits", ["point.gizwits", "point.gizwits.login"]),
            ("aliyun", ["point.aliyun", "point.aliyun.login"]),
        ):
            held = {
                name: sys.modules.pop(name) for name in names if name in sys.modules
            }
            for name in ("aliyun", "gizwits"):
                if "point." + name in held:
                    delattr(sys.modules["point"], name)
            try:
                self.found(auth, clientId="x")
                loaded = [name for name in names if name in sys.modules]
            finally:
                sys.modules.update(held)
                for name in ("aliyun", "gizwits"):
                    if "point." + name in held:
                        setattr(sys.modules["point"], name, held["point." + name])
            self.assertEqual(loaded, expected)


class Settings(unittest.TestCase):
    def settings(self, **connect):
        config = fakes.config()
        config["connect"].update(connect)
        return mqttauth.settings(config, bytes)

    def test_defaults(self):
        """TLS on 8883 unless told otherwise, and Quectel's keep-alive."""
        self.assertEqual(
            self.settings(),
            {
                "host": "mqtt.example.com",
                "port": 8883,
                "ssl": 1,
                "qos": 1,
                "cleanSession": 1,
                "keepAlive": 120,
                "clientId": "a1B2c3D4e5F.board-0001",
                "user": "board-0001&a1B2c3D4e5F",
                "password": "0123456789abcdef0123456789abcdef",
            },
        )

    def test_what_the_server_says(self):
        """Each member that it sends counts, 0 too."""
        found = self.settings(ssl=0, keepAlive=0, qos=0, cleanSession=0)
        self.assertEqual((found["ssl"], found["port"]), (0, 1883))
        self.assertEqual((found["keepAlive"], found["cleanSession"]), (0, 0))
        self.assertEqual(self.settings(port=443)["port"], 443)
        self.assertEqual(self.settings(port=443, ssl=0)["port"], 443)
        self.assertEqual(self.settings(clientId="x")["clientId"], "x")

    def test_config_stays(self):
        """The device_config is read, not changed."""
        config = fakes.config()
        config["connect"]["will"] = {"topic": "a", "message": "b"}
        before = repr(config)
        mqttauth.settings(config, bytes)
        self.assertEqual(repr(config), before)

    def test_schemes(self):
        """What this firmware can compute; all else is SETTING, and says which."""
        self.assertEqual(self.settings(auth="plain"), self.settings(auth="plain"))
        for auth in ("telepathy", "Plain", "", "aliyun_token"):
            with self.assertRaises(PointError) as raised:
                self.settings(auth=auth)
            self.assertEqual(raised.exception.name, "SETTING")
            self.assertIn("plain", raised.exception.detail)

    def test_a_new_scheme(self):
        """A scheme is one function in SCHEMES."""
        mqttauth.SCHEMES["test"] = lambda device, connect, random: (
            "i",
            "u",
            connect["host"],
        )
        try:
            found = self.settings(auth="test")
        finally:
            del mqttauth.SCHEMES["test"]
        names = found["clientId"], found["user"], found["password"]
        self.assertEqual(names, ("i", "u", "mqtt.example.com"))

    def test_will(self):
        """Its topic is below the board's own."""
        found = self.settings(will={"topic": "gone", "message": "x"})["will"]
        topic = "a1B2c3D4e5F/board-0001/gone"
        self.assertEqual(found, {"topic": topic, "message": "x"})
        for will in (None, {}):
            self.assertFalse(self.settings(will=will)["will"])
        self.assertNotIn("will", self.settings())

    def test_topic(self):
        """Alibaba gives devices topics of another form; the will is below it, too."""
        config = fakes.config()
        for auth, topic in (
            ("plain", "a1B2c3D4e5F/board-0001/"),
            ("gizwits", "a1B2c3D4e5F/board-0001/"),
            ("aliyun", "/a1B2c3D4e5F/board-0001/user/"),
            ("aliyun-token", "/a1B2c3D4e5F/board-0001/user/"),
        ):
            config["connect"]["auth"] = auth
            self.assertEqual(mqttauth.topic(config), topic)
        found = self.settings(auth="aliyun", will={"topic": "gone", "message": "x"})
        self.assertEqual(found["will"]["topic"], topic + "gone")

"""point.mqttauth: who a board says it is."""

import unittest

import fakes

from point import mqttauth
from point.errors import PointError


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

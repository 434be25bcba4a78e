"""point.mqttauth: who a board says it is."""

import unittest

import fakes

from point import mqttauth


class Plain(unittest.TestCase):
    def test_default_client_id(self):
        """Product and name make the client id; the user is Alibaba's shape."""
        config = fakes.config()
        self.assertEqual(
            mqttauth.plain(config["device"], config["connect"]),
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
        given = mqttauth.plain(config["device"], config["connect"])
        self.assertEqual(given[0], "chosen")

"""point.settings: the file that a firmware engineer fills in."""

import json
import unittest

from point import settings
from point.errors import PointError


def given(**more):
    values = {"url": "https://p.example.com/v1", "productKey": "a1B2", "ca": "ca.der"}
    values.update(more)
    return values


def parse(values):
    return settings.parse(json.dumps(values).encode())


class Settings(unittest.TestCase):
    def refused(self, values, words):
        with self.assertRaises(PointError) as raised:
            settings.parse(values) if type(values) is bytes else parse(values)
        self.assertEqual(raised.exception.name, "SETTING")
        self.assertIn(words, raised.exception.detail)

    def test_three_settings_are_enough(self):
        """The rest has a default."""
        found = parse(given())
        for name in given():
            self.assertEqual(found[name], given()[name])
        self.assertEqual(found["timeoutS"], 30)
        self.assertEqual(found["mqtt"], {})

    def test_each_of_the_three_is_needed(self):
        """The error names the one that is missing."""
        for name in given():
            values = given()
            del values[name]
            self.refused(values, name + " is missing")

    def test_unknown_keys(self):
        """A misspelt setting is an error, not a default."""
        self.refused(given(timeout=3), "unknown setting timeout")
        self.refused(given(mqtt={"hosts": "a"}), "unknown setting mqtt.hosts")

    def test_not_json(self):
        """What the runtime's parser would forgive is refused."""
        for text in (b"", b"{", b'{"url" "x"}', b'{"url":"x",}', b"\xff\xfe", b"url=x"):
            self.refused(text, "is not JSON")
        for text in (b"[]", b"null", b'"x"', b"1"):
            self.refused(text, "is not an object")

    def test_url(self):
        """Only https, up to 512 characters."""
        for value in ("http://a/", "a", "HTTPS://a/", "ftp://a/"):
            self.refused(given(url=value), "url does not begin with https://")
        for value in ("", None, 7, [], "https://a b/", "https://" + "x" * 505):
            self.refused(given(url=value), "url")
        longest = "https://" + "x" * 504
        self.assertEqual(parse(given(url=longest))["url"], longest)

    def test_names(self):
        """The product key and the CA's file name are words, no paths."""
        for name in ("productKey", "ca"):
            for value in ("", "a/b", "..", "a b", None, 1, "x" * 65):
                self.refused(given(**{name: value}), name)

    def test_time_limit(self):
        """Seconds, 1 to 600."""
        for value in (1, 600):
            self.assertEqual(parse(given(timeoutS=value))["timeoutS"], value)
        for value in (0, -1, 601, 3600, 1.5, True, "30", None):
            self.refused(given(timeoutS=value), "timeoutS")

    def test_mqtt(self):
        """It may hold every member of `connect`, under the same rules."""
        mqtt = {"host": "a.example.com", "port": 8883, "ssl": True, "qos": 1}
        mqtt.update({"keepAlive": 60, "cleanSession": False, "clientId": "x/y"})
        found = parse(given(mqtt=mqtt))["mqtt"]
        self.assertEqual(found["ssl"], 1)
        self.assertEqual(found["cleanSession"], 0)
        self.assertEqual(len(found), len(mqtt))
        for name, value in (
            ("host", "a/b"),
            ("port", 0),
            ("ssl", 2),
            ("qos", 2),
            ("keepAlive", 65536),
            ("cleanSession", "no"),
            ("clientId", ""),
        ):
            self.refused(given(mqtt={name: value}), name)
        for value in ([], None, "x", 1):
            self.refused(given(mqtt=value), "mqtt is not an object")

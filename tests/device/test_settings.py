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


class Case(unittest.TestCase):
    def refused(self, values, words):
        with self.assertRaises(PointError) as raised:
            settings.parse(values) if type(values) is bytes else parse(values)
        self.assertEqual(raised.exception.name, "SETTING")
        self.assertIn(words, raised.exception.detail)


class Settings(Case):
    def test_three_settings_are_enough(self):
        """The rest has a default."""
        found = parse(given())
        for name in given():
            self.assertEqual(found[name], given()[name])
        self.assertEqual(found["timeoutS"], 30)
        self.assertEqual(found["spreadS"], 60)
        self.assertEqual(found["policy"], "device-key")
        self.assertEqual(found["source"], "access")
        self.assertEqual(found["mqtt"], {})
        self.assertEqual(found["pins"], [])
        self.assertEqual(len(found), len(given()) + 6)

    def test_defaults_are_not_shared(self):
        """Two boards in one process do not see each other."""
        parse(given())["mqtt"]["host"] = "x"
        parse(given())["pins"].append(b"x")
        self.assertEqual((parse(given())["mqtt"], parse(given())["pins"]), ({}, []))

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

    def test_policy(self):
        """Three of them; a secret for the product goes with one."""
        for policy in ("device-key", "open"):
            self.assertEqual(parse(given(policy=policy))["policy"], policy)
        for policy in ("", "Open", "none", "device key", None, 1, True, [], {}):
            self.refused(given(policy=policy), "policy")
        self.refused(given(policy="product-secret"), "productSecret is missing")
        found = parse(given(policy="product-secret", productSecret="s3cret"))
        self.assertEqual(found["productSecret"], "s3cret")

    def test_product_secret(self):
        """Any text without blanks, up to 256 characters; never told in an error."""
        longest = "x" * 256
        self.assertEqual(parse(given(productSecret=longest))["productSecret"], longest)
        for value in ("", "a b", "x" * 257, None, 1, [], "s3cret\n"):
            self.refused(given(productSecret=value), "productSecret")
        with self.assertRaises(PointError) as raised:
            parse(given(productSecret="s3cret\n"))
        self.assertNotIn("s3cret", str(raised.exception))

    def test_pins(self):
        """SHA-256 in hex, either case; with one the CA may be left out."""
        pins = ["00" * 32, "aB" * 32]
        found = parse(given(pins=pins))
        self.assertEqual(found["pins"], [bytes(32), b"\xab" * 32])
        values = given(pins=pins)
        del values["ca"]
        found = parse(values)
        self.assertNotIn("ca", found)
        values["pins"] = []
        self.refused(values, "ca is missing")
        for value in (
            "",
            "00" * 31,
            "00" * 33,
            "0" * 63,
            "g" * 64,
            " " + "0" * 63,
            "00:" * 21 + "0",
            None,
            1,
            [],
        ):
            self.refused(given(pins=[value]), "pin")
            self.refused(given(pins=["00" * 32, value]), "pin")
        for value in (None, "00" * 32, {}, 1, True):
            self.refused(given(pins=value), "pins")

    def test_spread(self):
        """Seconds, none to an hour."""
        for value in (0, 1, 3600):
            self.assertEqual(parse(given(spreadS=value))["spreadS"], value)
        for value in (-1, 3601, 1.5, True, "60", None):
            self.refused(given(spreadS=value), "spreadS")

    def test_will(self):
        """A topic and a message, no more and no less."""
        will = {"topic": "gone/off", "message": '{"x":1}'}
        found = parse(given(mqtt={"will": will, "qos": 0}))["mqtt"]
        self.assertEqual(found, {"will": will, "qos": 0})
        self.assertEqual(parse(given(mqtt={"will": None}))["mqtt"], {})
        for value in (
            [],
            "x",
            1,
            {},
            {"topic": "a"},
            {"message": "a"},
            {"topic": "a", "message": "b", "qos": 1},
            {"topic": "a", "messages": "b"},
            {"topic": "", "message": "b"},
            {"topic": "a", "message": ""},
            {"topic": 1, "message": "b"},
            {"topic": "a", "message": None},
            {"topic": "a\n", "message": "b"},
            {"topic": "x" * 257, "message": "b"},
        ):
            self.refused(given(mqtt={"will": value}), "")
        self.refused(given(mqtt={"will": {}}), "mqtt.will")

    def test_a_server_cannot_send_a_will(self):
        """It is the settings' alone: `connect` does not know it."""
        from point import credentials

        self.assertNotIn("will", credentials.CONNECT)
        self.assertEqual(credentials.connect({"will": {"topic": "a"}}), {})


def for_aliyun(**more):
    values = {"source": "aliyun", "productKey": "a1B2c3D4e5F", "ca": "ca.der"}
    values["productSecret"] = "s3cret"
    values.update(more)
    return values


class Aliyun(Case):
    """Credentials from Alibaba's cloud instead of the customer's server."""

    def test_three_settings_are_enough(self):
        """With the source they are four; nobody's url is among them."""
        found = parse(for_aliyun())
        for name in for_aliyun():
            self.assertEqual(found[name], for_aliyun()[name])
        self.assertEqual(found["register"], "https")
        self.assertEqual(found["signMethod"], "hmacsha256")
        for name in ("url", "deviceName", "region", "instanceId"):
            self.assertNotIn(name, found)

    def test_each_of_the_three_is_needed(self):
        """A secret for the product among them."""
        for name in ("productKey", "productSecret", "ca"):
            values = for_aliyun()
            del values[name]
            self.refused(values, name + " is missing")
        values = for_aliyun(pins=["00" * 32])
        del values["ca"]
        self.assertEqual(parse(values)["pins"], [bytes(32)])

    def test_what_it_takes(self):
        """Names, and choices of three."""
        for name, value in (
            ("deviceName", "board-0001"),
            ("region", "ap-southeast-1"),
            ("instanceId", "iot-cn-0pp1n8t"),
            ("url", "https://iot-auth.example.com/auth/register/device"),
            ("register", "https"),
            ("register", "mqtt"),
            ("register", "mqtt-token"),
            ("signMethod", "hmacsha256"),
            ("signMethod", "hmacsha1"),
            ("signMethod", "hmacmd5"),
        ):
            self.assertEqual(parse(for_aliyun(**{name: value}))[name], value)

    def test_what_it_does_not_take(self):
        """No text that would mean something in a topic, a form or a client id."""
        for name in ("deviceName", "region", "instanceId"):
            for value in ("", "a/b", "a&b", "a|b", "a,b", "a=b", "..", None, 1, [], {}):
                self.refused(for_aliyun(**{name: value}), name)
        for name in ("source", "register", "signMethod"):
            for value in ("", "Aliyun", "MQTT", "sha256", None, 1, True, [], {}):
                self.refused(for_aliyun(**{name: value}), name + " is not one of ")

    def test_what_one_source_alone_knows(self):
        """A setting that would do nothing is an error."""
        for policy in ("device-key", "product-secret", "open"):
            words = "policy does not go with this source"
            self.refused(for_aliyun(policy=policy), words)
        for source in ({}, {"source": "access"}):
            for name, value in (
                ("deviceName", "board-0001"),
                ("region", "cn-shanghai"),
                ("instanceId", "iot-cn-0pp1n8t"),
                ("register", "https"),
                ("signMethod", "hmacsha256"),
            ):
                values = given(**{name: value})
                values.update(source)
                self.refused(values, name + " does not go with this source")


def for_gizwits(**more):
    values = {"source": "gizwits", "productKey": "a1B2", "ca": "ca.der"}
    values.update(more)
    return values


class Gizwits(Case):
    """Credentials from Gizwits' cloud."""

    def test_two_ways(self):
        """By a burned auth_key, which needs no product secret, or as of old."""
        found = parse(for_gizwits())
        self.assertEqual((found["source"], found["register"]), ("gizwits", "auth-key"))
        for name in ("url", "policy", "signMethod", "productSecret", "deviceName"):
            self.assertNotIn(name, found)
        values = for_gizwits(productSecret="0f1e", register="classic", deviceName="m")
        for name in values:
            self.assertEqual(parse(values)[name], values[name])
        del values["productSecret"]
        self.refused(values, "productSecret is missing")
        self.refused(for_gizwits(register="computed-key"), "productSecret is missing")

    def test_what_it_does_not_take(self):
        """The other cloud's settings and ways, and the server's policy."""
        for way in ("https", "mqtt", "", None, 1, [], {}):
            self.refused(for_gizwits(register=way), "register is not one of ")
        for name in ("policy", "region", "instanceId", "signMethod"):
            words = name + " does not go with this source"
            self.refused(for_gizwits(**{name: "x"}), words)
        for way in ("auth-key", "classic"):
            self.refused(for_aliyun(register=way), "register is not one of ")

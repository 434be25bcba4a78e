"""point.credentials: what a reply's members may hold, each at its edge."""

import unittest

import fakes

from point import credentials
from point.errors import PointError

TYPES = (True, False, 1, 0, -1, 1.5, [], ["a"], {}, {"a": "b"}, b"bytes", ("a",))
NEVER = (
    "",
    " ",
    "a b",
    "a\n",
    "\ta",
    "a\x00",
    "\x1b[2J",
    "a\x7f",
    "\u00fc",
    "\u4f60",
    "\ud7ff",
)
NOT_IN_NAMES = ("a/b", "a\\b", "a+b", "#", "a#", "+", ".", "..", "...", "a&b", "a=b")
NOT_IN_NAMES += ("a,b", "a;b", "a'b", 'a"b', "a|b", "a*b", "a?b", "a%b", "a$b", "<a>")


class Rules(unittest.TestCase):
    def refused(self, rule, value, *more):
        with self.assertRaises(PointError) as raised:
            rule("member", value, *more)
        error = raised.exception
        self.assertEqual(error.name, "FIELD", repr(value))
        self.assertEqual(error.detail.split(" ")[0], "member")
        return error

    def test_text(self):
        """Printable ASCII without blanks, 1 to 256 characters."""
        everything = "".join([chr(code) for code in range(33, 127)])
        for value in ("a", everything, "x" * 256):
            self.assertIs(credentials.text("member", value), value)
        for value in NEVER + TYPES + (None, "x" * 257):
            self.refused(credentials.text, value)
        for code in list(range(33)) + list(range(127, 300)):
            self.refused(credentials.text, "a" + chr(code))

    def test_word(self):
        """Letters, digits and -_.:@, 1 to 64 characters, and no path."""
        for value in (
            "a",
            "A",
            "0",
            "a-b_c.d:e@f",
            "x" * 64,
            "a..b",
            ".a",
            "-",
            "Zz09",
        ):
            self.assertIs(credentials.word("member", value), value)
        for value in NEVER + TYPES + NOT_IN_NAMES + (None, "x" * 65, "../a", "a/../b"):
            self.refused(credentials.word, value)
        for code in range(33, 127):
            if not chr(code).isalpha() and chr(code) not in "0123456789-_.:@":
                self.refused(credentials.word, "a" + chr(code))

    def test_word_length_can_be_set(self):
        """A caller may ask for less than 64."""
        self.assertEqual(credentials.word("member", "x" * 32, 32), "x" * 32)
        self.refused(credentials.word, "x" * 33, 32)

    def test_host(self):
        """Names and addresses, 1 to 253 characters."""
        for value in ("a", "mqtt.example.com", "10.0.0.1", "fe80::1", "x" * 253, "a-b"):
            self.assertIs(credentials.host("member", value), value)
        bad = ("x" * 254, "a_b", "a@b", "user:word@host", "mqtt://a", "a/b", "[::1]")
        for value in NEVER + TYPES + NOT_IN_NAMES + bad + (None,):
            self.refused(credentials.host, value)

    def test_number(self):
        """Whole numbers in range; True is none, nor are 1.0 and "1"."""
        for value in (0, 1, 5):
            self.assertIs(credentials.number("member", value, 0, 5), value)
        for value in (-1, 6, True, False, 1.0, "1", None, [], {}, b"1", 10**30):
            self.refused(credentials.number, value, 0, 5)

    def test_flag(self):
        """Both spellings of a boolean become a number, nothing else does."""
        for value, expected in ((True, 1), (False, 0), (1, 1), (0, 0)):
            found = credentials.flag("member", value)
            self.assertEqual(found, expected)
            self.assertIs(type(found), int)
        for value in (2, -1, "true", "1", "", None, 1.0, [], {}):
            self.refused(credentials.flag, value)

    def test_details_do_not_repeat_the_value(self):
        """An error names the member, never what was in it: it may be a secret."""
        for rule in (credentials.text, credentials.word, credentials.host):
            error = self.refused(rule, "s3cr3t/" + "\n")
            self.assertNotIn("s3cr3t", str(error))


class Checked(unittest.TestCase):
    def with_member(self, part, name, value):
        result = fakes.config()
        result[part][name] = value
        return credentials.checked(result)

    def refused(self, result, name):
        with self.assertRaises(PointError) as raised:
            credentials.checked(result)
        self.assertEqual(raised.exception.name, "FIELD")
        self.assertEqual(raised.exception.detail.split(" ")[0], name)

    def test_as_the_seed_has_it(self):
        """The seed's reply comes out as the seed's device_config."""
        expected = fakes.config()
        expected["device"]["productSecret"] = None
        self.assertEqual(credentials.checked(fakes.config()), expected)

    def test_result_is_new(self):
        """Nothing of the reply is shared with the device_config, nor changed."""
        result = fakes.config()
        config = credentials.checked(result)
        config["device"]["productKey"] = config["connect"]["host"] = "changed"
        self.assertEqual(result, fakes.config())

    def test_not_objects(self):
        """The result and its two parts are JSON objects."""
        for value in TYPES + (None, "text"):
            if type(value) is not dict:
                self.refused(value, "result")
                for part in ("device", "connect"):
                    result = fakes.config()
                    result[part] = value
                    self.refused(result, part)
        self.refused({}, "device")
        self.refused({"device": fakes.config()["device"]}, "connect")

    def test_required_members(self):
        """Each of these must be there, and be a good string."""
        for part, name, longest in (
            ("device", "productKey", 64),
            ("device", "deviceName", 64),
            ("device", "deviceSecret", 256),
            ("connect", "host", 253),
        ):
            result = fakes.config()
            del result[part][name]
            self.refused(result, name)
            for value in TYPES + NEVER + (None, "x" * (longest + 1)):
                result[part][name] = value
                self.refused(result, name)
            longest_one = self.with_member(part, name, "x" * longest)
            self.assertEqual(longest_one[part][name], "x" * longest)

    def test_names_are_no_paths_and_no_topics(self):
        """What ends up in a topic or a file name cannot leave it."""
        for part, name in (
            ("device", "productKey"),
            ("device", "deviceName"),
            ("connect", "host"),
            ("connect", "auth"),
            ("connect", "region"),
            ("connect", "instanceId"),
        ):
            for value in NOT_IN_NAMES:
                result = fakes.config()
                result[part][name] = value
                self.refused(result, name)

    def test_secrets_may_hold_any_sign(self):
        """Base64 and punctuation are fine in secrets and in a client id."""
        value = "aZ09+/=#&|,;'\"\\"
        for part, name in (
            ("device", "deviceSecret"),
            ("device", "productSecret"),
            ("connect", "clientId"),
        ):
            self.assertEqual(self.with_member(part, name, value)[part][name], value)

    def test_product_secret(self):
        """Absent and null are None; a good one is kept; a bad one is refused."""
        config = self.with_member("device", "productSecret", None)
        self.assertIsNone(config["device"]["productSecret"])
        config = self.with_member("device", "productSecret", "s" * 256)
        self.assertEqual(config["device"]["productSecret"], "s" * 256)
        for value in TYPES + NEVER + ("s" * 257,):
            result = fakes.config()
            result["device"]["productSecret"] = value
            self.refused(result, "productSecret")

    def test_auth_key(self):
        """Gizwits' stands in for a deviceSecret where it logs in by it, else beside."""
        result = fakes.config()
        result["device"].update({"authKey": "5" * 32, "deviceSecret": None})
        self.refused(result, "deviceSecret")
        result["connect"]["auth"] = "gizwits"
        device = credentials.checked(result)["device"]
        self.assertEqual((device["authKey"], device["deviceSecret"]), ("5" * 32, None))
        again = credentials.checked({"device": device, "connect": result["connect"]})
        self.assertEqual(again["device"], device)
        result["device"]["deviceSecret"] = "s3cr3t"
        self.assertEqual(
            credentials.checked(result)["device"]["deviceSecret"], "s3cr3t"
        )
        for value in TYPES + NEVER + ("x" * 257,):
            result["device"]["authKey"] = value
            self.refused(result, "authKey")
        self.assertNotIn(
            "authKey", self.with_member("device", "authKey", None)["device"]
        )

    def test_numbers(self):
        """Each number at its edges; absent and null are left to the default."""
        for name, least, most, default in (
            ("qos", 0, 1, 0),
            ("port", 1, 65535, None),
            ("keepAlive", 0, 65535, None),
        ):
            for value in (least, most):
                config = self.with_member("connect", name, value)
                self.assertIs(config["connect"][name], value)
            bad = (least - 1, most + 1, 1.0, True, "1", "", [], {}, 10**30)
            for value in bad:
                result = fakes.config()
                result["connect"][name] = value
                self.refused(result, name)
            absent = fakes.config()
            absent["connect"].pop(name, None)
            for result in (absent, fakes.config()):
                if result is not absent:
                    result["connect"][name] = None
                found = credentials.checked(result)["connect"].get(name)
                self.assertEqual(found, default)

    def test_flags(self):
        """cleanSession is optional and 0 without one; ssl has no default."""
        for name, default in (("cleanSession", 0), ("ssl", None)):
            for value, expected in ((True, 1), (False, 0), (1, 1), (0, 0)):
                found = self.with_member("connect", name, value)["connect"][name]
                self.assertIs(found, expected)
            absent = fakes.config()
            absent["connect"].pop(name, None)
            found = credentials.checked(absent)["connect"].get(name)
            self.assertEqual(found, default)
            found = self.with_member("connect", name, None)["connect"].get(name)
            self.assertEqual(found, default)
            for value in (2, -1, "true", "", 1.0, [], {}):
                result = fakes.config()
                result["connect"][name] = value
                self.refused(result, name)

    def test_optional_words(self):
        """The other optional members, at their edges."""
        for name, longest in (
            ("clientId", 256),
            ("auth", 64),
            ("region", 64),
            ("instanceId", 64),
        ):
            config = self.with_member("connect", name, "x" * longest)
            self.assertEqual(config["connect"][name], "x" * longest)
            self.assertNotIn(name, self.with_member("connect", name, None)["connect"])
            for value in TYPES + NEVER + ("x" * (longest + 1),):
                result = fakes.config()
                result["connect"][name] = value
                self.refused(result, name)

    def test_unknown_members_are_dropped(self):
        """The seed lets a server send more; none of it reaches the device."""
        result = fakes.config()
        result["more"] = "x"
        result["device"]["more"] = result["connect"]["more"] = "../x"
        config = credentials.checked(result)
        self.assertEqual(sorted(config), ["connect", "device"])
        self.assertNotIn("more", config["device"])
        self.assertNotIn("more", config["connect"])

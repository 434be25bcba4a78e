"""point.aliyun.topology: the names of sub-devices, and what is signed for each."""

import unittest

from point.aliyun import topology
from point.aliyun.login import sign
from point.errors import PointError

SECRET = "TkovXjVOlAHKzEIhm8Gbrila69vpMCnE"
NOT_NAMES = (
    "",
    None,
    7,
    True,
    [],
    {},
    "a b",
    "a/b",
    "a+b",
    "#",
    "..",
    "\u00e9",
    "x" * 65,
)


class Topology(unittest.TestCase):
    def fails(self, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.name, "FIELD")
        self.assertNotIn(SECRET, str(raised.exception))

    def test_pairs(self):
        """Both names, as in MQTT topics; nothing else is looked at."""
        found = topology.read_pair({"productKey": "a1", "deviceName": "sub", "x": []})
        self.assertEqual(found, ("a1", "sub"))
        self.assertEqual(topology.check_pair("a1", "sub"), ("a1", "sub"))

    def test_no_names(self):
        """What cannot be in a topic, or is missing."""
        for wrong in NOT_NAMES:
            self.fails(topology.check_pair, wrong, "sub")
            self.fails(topology.check_pair, "a1", wrong)
            self.fails(topology.read_pair, {"productKey": wrong, "deviceName": "sub"})
        for wrong in (None, 7, "a1", [], ["a1", "sub"], {}, {"productKey": "a1"}):
            self.fails(topology.read_pair, wrong)

    def test_secret(self):
        """Text, as it may be in credentials."""
        self.assertEqual(topology.read_secret({"deviceSecret": SECRET}), SECRET)
        for wrong in ("", None, 7, "a b", [SECRET], "x" * 257):
            self.fails(topology.read_secret, {"deviceSecret": wrong})
        self.fails(topology.read_secret, {})

    def test_names(self):
        """All of a reply's, or none."""
        good = {"productKey": "a1", "deviceName": "sub"}
        self.assertEqual(topology.read_pairs([]), [])
        self.assertEqual(topology.read_pairs([good, good]), [("a1", "sub")] * 2)
        for wrong in (None, {}, good, "", 7, [None], [[]], [good, {}], [good, "sub"]):
            self.assertIsNone(topology.read_pairs(wrong))

    def test_member(self):
        """To be removed: the names. To be added: signed, by the vector's own form."""
        self.assertEqual(
            topology.make_member("a1", "sub"), {"productKey": "a1", "deviceName": "sub"}
        )
        found = topology.make_member("a1qYULtayIc", "sub_vUgMAe", SECRET)
        expected = {
            "productKey": "a1qYULtayIc",
            "deviceName": "sub_vUgMAe",
            "clientId": "a1qYULtayIc.sub_vUgMAe",
            "timestamp": "2524608000000",
        }
        expected["sign"] = sign("hmacsha256", SECRET, expected)
        expected["signmethod"] = "hmacSha256"
        self.assertEqual(found, expected)
        self.assertNotIn(SECRET, str(found))

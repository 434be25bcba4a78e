"""point.gizwits.authkey against values of other code (tests/golden/make_authkey.py)."""

import json
import unittest

from point.gizwits import authkey

FILE = __file__.rsplit("/", 1)[0] + "/../golden/authkey.json"
with open(FILE) as file:
    CASES = json.load(file)


def derived(case, **changed):
    """The key of a case, with some of its members changed."""
    values = [
        changed.get(name, case[name]) for name in ("productSecret", "productKey", "mac")
    ]
    return authkey.derive(values[0], values[1], values[2])


class Derive(unittest.TestCase):
    def test_vectors(self):
        """Each key, however its MAC is written."""
        self.assertTrue(len(CASES) >= 6)
        for case in CASES:
            for mac in [case["mac"]] + case["spellings"]:
                self.assertEqual(derived(case, mac=mac), case["authKey"], case["name"])

    def test_each_part_counts(self):
        """Another secret, product or device has another key."""
        case = CASES[0]
        found = {case["authKey"]}
        for name in ("productSecret", "productKey", "mac"):
            found.add(derived(case, **{name: case[name][:-1] + "1"}))
        self.assertEqual(len(found), 4)

    def test_the_name_says_whose_it_is(self):
        """Nobody shall take it for the cloud's."""
        self.assertTrue(authkey.NAME.startswith("pointaccess-reference"))

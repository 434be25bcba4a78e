"""point.gizwits.login: the login of a device. The sums are openssl's (tests/golden)."""

import unittest

from point.errors import PointError
from point.gizwits import login as gizwits

DEVICE = {
    "productKey": "aaaaaaaabbbbccccddddeeeeeeeeeeee",
    "deviceName": "02004c4f4f50",
    "deviceSecret": "11111111222243338444555555555555",
}
TOKEN = "5b08525f7277819f12ae327253b0fd646607fb8b46f70b61f19df5b39a4d0275"


class Login(unittest.TestCase):
    def test_shape(self):
        """The did, the did with the nonce, the sum."""
        found = gizwits.login(
            DEVICE, {"clientId": "Ab3dEf7h"}, lambda n: bytes(range(n))
        )
        user = "Ab3dEf7h|signmethod=sha256,signnonce=ABCDEFGHIJ"
        self.assertEqual(found, ("Ab3dEf7h", user, TOKEN))

    def test_auth_key_beside_a_secret(self):
        """The authKey is the key; without one the deviceSecret is it."""
        device = dict(DEVICE)
        device["authKey"], device["deviceSecret"] = device["deviceSecret"], "another"
        found = gizwits.login(
            device, {"clientId": "Ab3dEf7h"}, lambda n: bytes(range(n))
        )
        self.assertEqual(found[2], TOKEN)

    def test_nonce(self):
        """Ten capital letters out of any ten bytes, new ones each time."""
        asked = []

        def random(count):
            asked.append(count)
            return bytes([len(asked) * 10 + n for n in range(count)])

        users = set()
        for _ in range(24):
            user = gizwits.login(DEVICE, {"clientId": "d"}, random)[1]
            nonce = user[user.rfind("=") + 1 :]
            self.assertEqual(len(nonce), 10)
            for letter in nonce:
                self.assertTrue("A" <= letter <= "Z", nonce)
            users.add(user)
        self.assertGreater(len(users), 12)
        self.assertEqual(asked, [10] * 24)

    def test_each_part_counts(self):
        """Another product, address, key or nonce gives another sum."""
        parts = ["pk", "02004c4f4f50", "key", "ABCDEFGHIJ"]
        found = {gizwits.token(*parts)}
        for place in range(4):
            other = list(parts)
            other[place] = "f" + other[place][1:]
            found.add(gizwits.token(*other))
        self.assertEqual(len(found), 5)

    def test_spellings_of_a_mac(self):
        """The cloud signs 12 lower-case digits; an IMEI is as it is."""
        names = DEVICE["productKey"], DEVICE["deviceSecret"], "ABCDEFGHIJ"
        for mac in ("02004C4F4F50", "02:00:4c:4f:4f:50", "02-00-4C-4F-4F-50"):
            found = gizwits.token(names[0], mac, names[1], names[2])
            self.assertEqual(found, TOKEN)

    def test_without_a_did(self):
        """Neither scheme can make one up."""
        for connect in ({}, {"clientId": None}, {"clientId": ""}):
            with self.assertRaises(PointError) as raised:
                gizwits.login(DEVICE, connect, bytes)
            self.assertEqual(raised.exception.name, "OPTION")
            with self.assertRaises(PointError) as raised:
                gizwits.classic_login(DEVICE, connect)
            self.assertEqual(raised.exception.name, "OPTION")
            self.assertIn("did", raised.exception.detail)


class ClassicLogin(unittest.TestCase):
    def test_shape(self):
        """The did twice, and the passcode."""
        found = gizwits.classic_login(DEVICE, {"clientId": "did22"})
        self.assertEqual(found, ("did22", "did22", DEVICE["deviceSecret"]))

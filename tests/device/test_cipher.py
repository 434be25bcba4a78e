"""point.aliyun.cipher: the provisioning key, and the channel under it.

tests/golden/alibaba.json holds the device SDKs' own values; test_cloud_vectors.py
compares them. Here is what must not become a key, and what AES itself must give.
"""

import unittest

from point.aliyun import cipher
from point.compat import binascii
from point.digest import sha256
from point.errors import PointError

SECRET = "5yUY6In0S2OX1Q3H"
RANDOM = "000102030405060708090a0b0c0d0e0f"
MAC = "C0:F8:E0:09:90:40"

# NIST SP 800-38A, F.2.1 and F.3.13: one key, one iv, four blocks.
KEY = binascii.unhexlify("2b7e151628aed2a6abf7158809cf4f3c")
IV = binascii.unhexlify(RANDOM)
TEXT = binascii.unhexlify(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
CBC = (
    "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
    "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
)
CFB = (
    "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b"
    "26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6"
)


class Typed(unittest.TestCase):
    def refused(self, name, call, *arguments):
        """OPTION, and the detail begins with the argument's name."""
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.name, "OPTION", repr(arguments))
        detail = raised.exception.detail
        self.assertTrue(detail.startswith(name + " is "), detail)
        self.assertNotIn(SECRET, detail)


class Key(Typed):
    def test_formula(self):
        """The secret as it stands, a comma, the 16 bytes of the random."""
        expected = sha256(b"5yUY6In0S2OX1Q3H," + bytes(range(16)))
        for cipher_type in (None, 3, 4):
            found = cipher.provisioning_key(cipher_type, SECRET, RANDOM)
            self.assertEqual(found, expected)

    def test_formula_of_ble(self):
        """The six bytes of the MAC and another comma come before the random."""
        mac = b"\xc0\xf8\xe0\x09\x90\x40"
        expected = sha256(b"5yUY6In0S2OX1Q3H," + mac + b"," + bytes(range(16)))
        for cipher_type in (6, 7):
            found = cipher.provisioning_key(cipher_type, SECRET, RANDOM, MAC)
            self.assertEqual(found, expected)

    def test_channel_key(self):
        """The key on the air is the first half."""
        for cipher_type in (None, 3, 4, 6, 7):
            arguments = cipher_type, SECRET, RANDOM, MAC
            found = cipher.channel_key(*arguments)
            self.assertEqual(found, cipher.provisioning_key(*arguments)[:16])
            self.assertEqual(len(found), 16)

    def test_a_hex_secret_stays_text(self):
        """A deviceSecret looks like hex, and is not decoded."""
        secret = "8c4b1f0e5a6d7c3b2e9f1a0d4c5b6e7f"
        found = cipher.provisioning_key(4, secret, RANDOM)
        self.assertEqual(found, sha256(secret.encode() + b"," + bytes(range(16))))

    def test_spellings_of_a_mac(self):
        """The usual ones are one address; another order of its bytes is another."""
        keys = set()
        for mac in (
            "c0f8e0099040",
            "C0F8E0099040",
            "c0:f8:e0:09:90:40",
            "C0-F8-E0-09-90-40",
            "c0f8.e009.9040",
        ):
            keys.add(cipher.provisioning_key(6, SECRET, RANDOM, mac))
        self.assertEqual(len(keys), 1)
        keys.add(cipher.provisioning_key(6, SECRET, RANDOM, "409009e0f8c0"))
        self.assertEqual(len(keys), 2)

    def test_case_of_a_random(self):
        """Upper and lower case digits are the same bytes."""
        upper = cipher.provisioning_key(3, SECRET, RANDOM.upper())
        self.assertEqual(upper, cipher.provisioning_key(3, SECRET, RANDOM))

    def test_random(self):
        """32 hex digits or no key: the SDK would take a wrong digit for 0."""
        for random in (
            None,
            "",
            "00",
            RANDOM[:31],
            RANDOM[:30],
            RANDOM + "0",
            RANDOM + "00",
            RANDOM * 2,
            "zz" + RANDOM[2:],
            RANDOM[:31] + "g",
            " " + RANDOM[1:],
            " ".join([RANDOM[n : n + 2] for n in range(0, 32, 2)]),
            RANDOM + " ",
            RANDOM[:31] + "\n",
            "0x" + RANDOM[2:],
            "\u0660" * 16,
            "\uff10" * 32,
            bytes(16),
            1,
            ["0"] * 32,
        ):
            for name in ("provisioning_key", "channel_key"):
                call = getattr(cipher, name)
                self.refused("random", call, 3, SECRET, random)
                self.refused("random", call, 6, SECRET, random, MAC)

    def test_mac(self):
        """Types 6 and 7 have no key without one."""
        for mac in (
            None,
            "",
            "c0:f8:e0:09:90",
            "c0:f8:e0:09:90:4",
            MAC + ":00",
            "g0:f8:e0:09:90:40",
            "c0 f8 e0 09 90 40",
            b"\xc0\xf8\xe0\x09\x90\x40",
            0xC0F8E0099040,
        ):
            for cipher_type in (6, 7):
                self.refused(
                    "mac", cipher.provisioning_key, cipher_type, SECRET, RANDOM, mac
                )

    def test_cipher_type(self):
        """Only these four exist; 1, 2 and 5 are names in the SDK without a formula."""
        for cipher_type in (0, 1, 2, 5, 8, -3, "3", "", 3.5, True, False, [], {}, b"3"):
            self.refused(
                "cipher_type", cipher.provisioning_key, cipher_type, SECRET, RANDOM, MAC
            )

    def test_secret(self):
        """Text, and some of it."""
        for secret in (None, "", b"secret", 5, []):
            self.refused("secret", cipher.provisioning_key, 3, secret, RANDOM)


class Channel(Typed):
    def test_cbc(self):
        """NIST's blocks, as upper-case hex."""
        channel = cipher.Channel(KEY, IV, "cbc")
        self.assertEqual(channel.encrypt(TEXT), CBC.upper())
        self.assertEqual(channel.decrypt(CBC), TEXT)
        self.assertEqual(channel.decrypt(CBC.upper()), TEXT)

    def test_cfb(self):
        """NIST's blocks, as bytes, in pieces of any length from the beginning."""
        channel = cipher.Channel(KEY, IV, "cfb")
        expected = binascii.unhexlify(CFB)
        for size in range(len(TEXT) + 1):
            self.assertEqual(channel.encrypt(TEXT[:size]), expected[:size])
            self.assertEqual(channel.decrypt(expected[:size]), TEXT[:size])

    def test_lengths(self):
        """Whole blocks with cbc, the same length with cfb; both come back."""
        text = b"Passw0rd-of-my-home-wifi, and some more"
        cbc = cipher.Channel(KEY, IV, "cbc")
        cfb = cipher.Channel(KEY, IV, "cfb")
        for size in range(len(text) + 1):
            sent = cbc.encrypt(text[:size])
            self.assertEqual(len(sent), (size + 15) // 16 * 32)
            self.assertEqual(cbc.decrypt(sent), text[:size])
            sent = cfb.encrypt(text[:size])
            self.assertEqual(len(sent), size)
            self.assertEqual(cfb.decrypt(sent), text[:size])

    def test_each_message_by_itself(self):
        """As in the SDKs: a channel remembers nothing."""
        for mode in ("cbc", "cfb"):
            channel = cipher.Channel(KEY, IV, mode)
            self.assertEqual(channel.encrypt(TEXT), channel.encrypt(TEXT))
            sent = channel.encrypt(TEXT)
            self.assertEqual(channel.decrypt(sent), channel.decrypt(sent))

    def test_what_it_is_given_stays(self):
        """A bytearray is read, not changed, and not kept."""
        for mode in ("cbc", "cfb"):
            key, iv, data = bytearray(KEY), bytearray(IV), bytearray(TEXT)
            channel = cipher.Channel(key, iv, mode)
            sent = channel.encrypt(data)
            self.assertEqual((key, iv, data), (KEY, IV, TEXT))
            key[0] = iv[0] = 0
            self.assertEqual(channel.decrypt(sent), TEXT)

    def test_another_key(self):
        """A key, or an iv, that differs in one bit gives other bytes."""
        for mode in ("cbc", "cfb"):
            sent = cipher.Channel(KEY, IV, mode).encrypt(TEXT)
            for key, iv in ((flipped(KEY), IV), (KEY, flipped(IV))):
                other = cipher.Channel(key, iv, mode)
                self.assertNotEqual(other.encrypt(TEXT), sent)
                self.assertNotEqual(other.decrypt(sent), TEXT)

    def test_a_last_zero_byte(self):
        """cbc cannot carry one: it would not come back. cfb can."""
        channel = cipher.Channel(KEY, IV, "cbc")
        for data in (b"\0", b"text\0", b"\0" * 16):
            self.refused("data", channel.encrypt, data)
        self.assertEqual(channel.decrypt(channel.encrypt(b"\0text")), b"\0text")
        channel = cipher.Channel(KEY, IV, "cfb")
        self.assertEqual(channel.decrypt(channel.encrypt(b"text\0")), b"text\0")

    def test_what_is_no_message(self):
        """Not hex, no whole blocks, no bytes."""
        cbc = cipher.Channel(KEY, IV, "cbc")
        for data in (
            "0",
            "00",
            CBC[:-1],
            CBC[:-2],
            CBC + "00",
            "zz" * 16,
            " " + CBC,
            None,
            1,
            [],
        ):
            self.refused("data", cbc.decrypt, data)
        cfb = cipher.Channel(KEY, IV, "cfb")
        for data in ("text", None, 1, [1]):
            self.refused("data", cbc.encrypt, data)
            self.refused("data", cfb.encrypt, data)
            self.refused("data", cfb.decrypt, data)

    def test_what_is_no_channel(self):
        """The wrong length of key or iv, and a mode that is neither."""
        for wrong in (b"", KEY[:15], KEY + b"k", KEY * 2, "k" * 16, None, 16):
            self.refused("key", cipher.Channel, wrong, IV, "cbc")
            self.refused("iv", cipher.Channel, KEY, wrong, "cfb")
        for mode in ("CBC", "ecb", "", None, 2):
            self.refused("mode", cipher.Channel, KEY, IV, mode)


def flipped(data):
    """`data` with its last bit changed."""
    return data[:-1] + bytes([data[-1] ^ 1])

"""point.seal: what only the holder of a key can make, and what opens for nobody else.

The golden bytes were made by the openssl command line, not by this code:
printf "seal$ID" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$KEY gives ke and km;
openssl enc -aes-128-cbc -K $ke -iv $IV the ciphertext; then the MAC over all of it.
"""

import unittest

from point import seal
from point.compat import binascii
from point.errors import PointError

KEY = bytes(range(32))
IV = bytes(range(0xF0, 0x100))
ID = "00112233445566778899aabbccddeeff"
IMEI = "490154203237518"
CONTEXT = ID.encode()
PURPOSE = b"seal" + CONTEXT
TEXT = b'{"device":{"deviceSecret":"s3cret"}}'
GOLDEN = (
    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeffe6253297aeb6cfbb19a92b9b5ac0aacfbcbf287e70fde90a"
    "829b03a881a5fdbc44120bcaf14af7ec9add3ffce5012e06012314ef86cf07933f76bc5f2a0da21d"
    "b7ff17373afb092480ecded944c7834e"
)


class Key(unittest.TestCase):
    def test_digits(self):
        """64 hex digits, as an editor may leave them."""
        digits = seal.hexed(KEY).encode()
        for text in (digits, digits.upper(), b" " + digits + b"\r\n"):
            self.assertEqual(seal.key_of(text), KEY)

    def test_anything_else(self):
        """Is a SETTING: the factory has to look."""
        digits = seal.hexed(KEY).encode()
        for text in (b"", digits[1:], digits + b"0", b"g" + digits[1:], bytes(64)):
            with self.assertRaises(PointError) as raised:
                seal.key_of(text)
            self.assertEqual(raised.exception.name, "SETTING")


class Box(unittest.TestCase):
    def refused(self, box, key=KEY, purpose=PURPOSE, context=CONTEXT):
        with self.assertRaises(PointError) as raised:
            seal.unseal(key, purpose, context, box)
        self.assertEqual(raised.exception.name, "SEAL")
        return raised.exception

    def test_golden(self):
        """A box of today must open for ever, and openssl makes the same one."""
        box = seal.seal(KEY, PURPOSE, CONTEXT, TEXT, IV)
        self.assertEqual(seal.hexed(box), GOLDEN)
        self.assertEqual(seal.unseal(KEY, PURPOSE, CONTEXT, box), TEXT)

    def test_round_trip(self):
        """Any bytes of any length, also around a block."""
        for size in list(range(50)) + [255, 256, 257, 4095, 4096]:
            text = bytes([byte & 255 for byte in range(size)])
            box = seal.seal(KEY, b"p", b"c", text, IV)
            self.assertEqual(len(box), 16 + size + 16 - size % 16 + 32)
            self.assertEqual(seal.unseal(KEY, b"p", b"c", box), text)

    def test_bytes_that_look_like_padding(self):
        """Only the padding is taken off."""
        for text in (b"\x01", b"\x10" * 16, b"\x02" * 15, b"x\x01", b"\0" * 16):
            box = seal.seal(KEY, b"p", b"c", text, IV)
            self.assertEqual(seal.unseal(KEY, b"p", b"c", box), text)

    def test_every_flipped_bit(self):
        """No bit of iv, ciphertext or MAC can change unseen."""
        box = seal.seal(KEY, PURPOSE, CONTEXT, TEXT, IV)
        for bit in range(len(box) * 8):
            broken = bytearray(box)
            broken[bit // 8] ^= 1 << bit % 8
            self.refused(bytes(broken))

    def test_every_truncation(self):
        """Cut anywhere, at either end, or with more after it."""
        box = seal.seal(KEY, PURPOSE, CONTEXT, TEXT, IV)
        for end in range(len(box)):
            self.refused(box[:end])
            self.refused(box[end + 1 :])
        for tail in (b"\0", bytes(16), bytes(32), box):
            self.refused(box + tail)
            self.refused(tail + box)
        self.refused(box[:16] + box[32:])  # a block less
        self.refused(box[:32] + box[16:])  # a block twice

    def test_wrong_key_purpose_context(self):
        """Each of the three has to be the one it was sealed with."""
        box = seal.seal(KEY, PURPOSE, CONTEXT, TEXT, IV)
        for key in (b"", bytes(32), KEY[:31], KEY + b"\1", bytes(range(31, -1, -1))):
            self.refused(box, key=key)
        for purpose in (b"", b"seal", b"flash", PURPOSE + b"0", PURPOSE[:-1]):
            self.refused(box, purpose=purpose)
        for context in (b"", b"0", CONTEXT + b"0", CONTEXT[1:], b"f" * 32):
            self.refused(box, context=context)

    def test_context_and_iv_do_not_run_together(self):
        """A byte moved from the box into the context is refused."""
        box = seal.seal(KEY, b"p", b"c", TEXT, IV)
        self.refused(box[1:], purpose=b"p", context=b"c" + box[:1])
        # The MAC is over both, one after the other: the length must tell them apart.
        self.refused(b"c" + box, purpose=b"p", context=b"")

    def test_good_mac_over_nonsense(self):
        """The holder of the key may still make a box that is none."""
        both = seal.hmac_sha256(KEY, PURPOSE)

        def signed(box):
            return box + seal.hmac_sha256(both[16:], CONTEXT + box)

        encrypted = seal.aes(both[:16], 2, IV).encrypt
        self.refused(signed(b""))
        self.refused(signed(IV))
        self.refused(signed(IV + b"x" * 15))
        self.refused(signed(IV + b"x" * 17))
        for last in (0, 17, 255):
            box = IV + encrypted(bytes(15) + bytes([last]))
            self.assertEqual(self.refused(signed(box)).detail, "padding")
            encrypted = seal.aes(both[:16], 2, IV).encrypt

    def test_another_iv_is_another_box(self):
        """The same text sealed twice does not look the same."""
        one = seal.seal(KEY, b"p", b"c", TEXT, IV)
        two = seal.seal(KEY, b"p", b"c", TEXT, bytes(16))
        self.assertEqual((one[:16], two[:16]), (IV, bytes(16)))
        for at in range(16, len(one) - 16, 16):
            self.assertNotEqual(one[at : at + 16], two[at : at + 16])

    def test_nothing_is_in_clear(self):
        """No block of the text can be seen in the box."""
        box = seal.seal(KEY, b"p", b"c", b"s3cret" * 20, IV)
        self.assertNotIn(b"s3c", box)

    def test_errors_say_nothing_of_it(self):
        """Neither the text nor the key is in what is logged."""
        box = seal.seal(KEY, PURPOSE, CONTEXT, TEXT, IV)
        error = self.refused(box, key=b"k" * 32)
        self.assertNotIn("s3cret", str(error))
        self.assertNotIn("kkk", str(error))


class Sign(unittest.TestCase):
    def test_golden(self):
        """By openssl: an HMAC over the text of docs/protocol.md."""
        for kind, expected in (
            ("", "44226f52ccdecdea43ac5c7a238df042b796e0fbdc6348f51a95e621c6f4b071"),
            ("ack", "f9c6b3c2a9ecd6044d3b2dca3e6614907cbcf9d4ed775d4b35a103073ff35f02"),
            (
                "proof",
                "ce18301850e32f2e38712128fb632fc81dfb3f1e9586431b58a25c14d5f176a9",
            ),
        ):
            found = seal.sign(KEY, kind, IMEI, "a1B2", ID, 1800000000)
            self.assertEqual(found, expected)

    def test_time_is_zero_by_default(self):
        """Where no clock can be trusted."""
        self.assertEqual(
            seal.sign(KEY, "", IMEI, "a1B2", ID),
            seal.sign(KEY, "", IMEI, "a1B2", ID, 0),
        )

    def test_claim_key(self):
        """By openssl, from the product's master: 32 bytes, one for each board."""
        key = seal.claim_key(b"product master", "a1B2", IMEI)
        self.assertEqual(
            seal.hexed(key),
            "3b3db9f5d1f39c84b2e7331e2c83cc30f294a5fb8fc2932ed12567f2ee81c241",
        )
        others = [
            seal.claim_key(b"another master", "a1B2", IMEI),
            seal.claim_key(b"product master", "a1B3", IMEI),
            seal.claim_key(b"product master", "a1B2", "356938035643809"),
        ]
        self.assertEqual(len(set(others + [key])), 4)


class Hex(unittest.TestCase):
    def test_there_and_back(self):
        """Lower case, and every byte."""
        data = bytes(range(256))
        self.assertEqual(seal.hexed(data), binascii.hexlify(data).decode())
        self.assertEqual(seal.hexed(b"\xab\xcd"), "abcd")
        self.assertEqual(seal.unhexed(seal.hexed(data)), data)
        self.assertEqual(seal.unhexed("ABCD"), b"\xab\xcd")
        self.assertEqual(seal.unhexed(b"abcd"), b"\xab\xcd")
        self.assertEqual(seal.unhexed(""), b"")

    def test_not_hex(self):
        """What is no hex is SEAL, on every runtime."""
        for text in ("a", "abc", "0g", "0x00", "--", "\u00e9\u00e9", None, 7, [1]):
            with self.assertRaises(PointError) as raised:
                seal.unhexed(text)
            self.assertEqual(raised.exception.name, "SEAL", text)

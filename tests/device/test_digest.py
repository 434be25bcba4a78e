"""point.digest: HMAC by the RFCs' own vectors, and equality."""

import unittest

from point import digest
from point.compat import binascii, hashlib

BLOCK = b"Test Using Larger Than Block-Size Key - Hash Key First"
BOTH = (
    b"This is a test using a larger than block-size key and a larger than block-size "
    b"data. The key needs to be hashed before being used by the HMAC algorithm."
)
RFC_4231 = (  # its cases 1 to 4, 6 and 7; case 5 is about truncation
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    (
        b"\xaa" * 131,
        BLOCK,
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        BOTH,
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
)

RFC_2202 = (  # its cases 1, 2, 3 and 6: key, message, HMAC-MD5, HMAC-SHA-1
    (
        (b"\x0b" * 16, b"\x0b" * 20),
        b"Hi There",
        "9294727a3638bb1c13f48ef8158bfc9d",
        "b617318655057264e28bc0b6fb378c8ef146be00",
    ),
    (
        (b"Jefe", b"Jefe"),
        b"what do ya want for nothing?",
        "750c783e6ab0b503eaa86e310a5db738",
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    ),
    (
        (b"\xaa" * 16, b"\xaa" * 20),
        b"\xdd" * 50,
        "56be34521d144c88dbb8c733f0e8b3f6",
        "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
    ),
    (
        (b"\xaa" * 80, b"\xaa" * 80),
        BLOCK,
        "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
        "aa4ae5e15272d00e95705637ce8a3b55ed402112",
    ),
)


def hexed(data):
    return binascii.hexlify(data).decode()


class Digest(unittest.TestCase):
    def test_sha256(self):
        """The two of FIPS 180-4's examples that everybody knows."""
        self.assertEqual(
            hexed(digest.sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        )
        self.assertEqual(
            hexed(digest.sha256(b"")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        )

    def test_rfc_4231(self):
        """Short keys, long keys, short and long messages."""
        for key, message, expected in RFC_4231:
            self.assertEqual(hexed(digest.hmac_sha256(key, message)), expected)

    def hmac_by(self, name, place, column):
        """RFC 2202's cases by one of hashlib's functions."""
        sha = getattr(hashlib, name, None)
        if not sha:
            self.skipTest("this firmware has no " + name)
        for case in RFC_2202:
            found = digest.hmac(
                lambda data: sha(data).digest(), case[0][place], case[1]
            )
            self.assertEqual(hexed(found), case[column])

    def test_rfc_2202_md5(self):
        """HMAC over a hash of 16 bytes."""
        self.hmac_by("md5", 0, 2)

    def test_rfc_2202_sha1(self):
        """HMAC over a hash of 20 bytes."""
        self.hmac_by("sha1", 1, 3)

    def test_keys_around_a_block(self):
        """63, 64 and 65 bytes: padded, as it is, hashed; each another key."""
        found = [digest.hmac_sha256(b"k" * size, b"m") for size in (63, 64, 65)]
        self.assertEqual(len(set(found)), 3)
        hashed = digest.hmac_sha256(digest.sha256(b"k" * 65), b"m")
        self.assertEqual(found[2], hashed)
        # A key of 63 is one of 64 with a zero: RFC 2104's padding, not ours.
        self.assertEqual(found[0], digest.hmac_sha256(b"k" * 63 + b"\0", b"m"))

    def test_empty(self):
        """An empty key and an empty message have a digest too; by CPython's hmac."""
        self.assertEqual(
            hexed(digest.hmac_sha256(b"", b"")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
        )

    def test_arguments_stay(self):
        """A key and a message that can change do not."""
        key, message = bytearray(b"key"), bytearray(b"message")
        digest.hmac_sha256(bytes(key), bytes(message))
        self.assertEqual((key, message), (bytearray(b"key"), bytearray(b"message")))


class Equal(unittest.TestCase):
    def test_equal(self):
        """Only the same bytes of the same length are."""
        whole = bytes(range(32))
        self.assertTrue(digest.equal(whole, bytes(range(32))))
        self.assertTrue(digest.equal(b"", b""))
        for bit in range(256):
            other = bytearray(whole)
            other[bit // 8] ^= 1 << bit % 8
            self.assertFalse(digest.equal(whole, bytes(other)), bit)
            self.assertFalse(digest.equal(bytes(other), whole), bit)

    def test_lengths(self):
        """A beginning is not the whole, nor is the whole with more after it."""
        whole = bytes(32)
        for other in (b"", whole[:31], whole + b"\0", whole * 2, b"\0"):
            self.assertFalse(digest.equal(whole, other))
            self.assertFalse(digest.equal(other, whole))

    def test_is_a_bool(self):
        """True or False, not a number that happens to be 0."""
        self.assertIs(digest.equal(b"a", b"a"), True)
        self.assertIs(digest.equal(b"a", b"b"), False)

    def test_every_byte_is_looked_at(self):
        """Where they differ first does not end the comparison."""

        class Counting:
            def __init__(self, data):
                self.data = data
                self.looked = 0

            def __len__(self):
                return len(self.data)

            def __getitem__(self, place):
                self.looked += 1
                return self.data[place]

        for place in (0, 15, 31):
            other = bytearray(32)
            other[place] = 1
            counting = Counting(bytes(32))
            self.assertFalse(digest.equal(counting, bytes(other)))
            self.assertEqual(counting.looked, 32)

"""point.slot: a record's bytes, and nothing instead of a wrong record.

The sealed golden bytes were made by the openssl command line and zlib's CRC-32.
"""

import struct
import unittest

from point import seal, slot
from point.compat import binascii, crc32

KEY = bytes(range(32))
OTHER = b"k" * 32
IV = bytes(range(0xF0, 0x100))
RECORD = {"device": {"deviceSecret": "s3cret"}, "n": [1, None, True]}
CLEAR = b'PtAc\x01\x02\0\0\0\x07\0\x07{"a":1}'
SEALED = (
    "507441630202000000070040f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff943ef6c7ec3e1790cf2957ca"
    "699a086858eb42064185625b1dbff16b0b94c1bdb22cdc20597d28742a527f03a10a810e7bc593d0"
)


def checked(data):
    """`data` with a good checksum after it."""
    return data + struct.pack(">I", crc32(data))


def keyed():
    """Both kinds: (key, the whole bytes of a slot)."""
    for key in (None, KEY):
        yield key, slot.encode(slot.CANDIDATE, 7, RECORD, key, IV)


class Slot(unittest.TestCase):
    def test_there_and_back(self):
        """State, sequence and record, of every kind that JSON has."""
        for key in (None, KEY):
            for record in (
                RECORD,
                {},
                [],
                "text",
                7,
                None,
                True,
                {"x": "\u00e9\u4f60"},
            ):
                for state in (0, slot.CANDIDATE, slot.CONFIRMED):
                    for sequence in (0, 1, 255, 65536, 4294967295):
                        data = slot.encode(state, sequence, record, key, IV)
                        found = slot.decode(data, key)
                        self.assertEqual(found, (state, sequence, record))

    def test_golden_clear(self):
        """A slot of version 1 is readable for ever."""
        self.assertEqual(slot.decode(checked(CLEAR)), (slot.CONFIRMED, 7, {"a": 1}))
        data = slot.encode(slot.CONFIRMED, 7, "x")
        self.assertEqual(data, checked(b'PtAc\x01\x02\0\0\0\x07\0\x03"x"'))

    def test_golden_sealed(self):
        """So is one that is sealed; openssl made this one."""
        data = binascii.unhexlify(SEALED)
        self.assertEqual(slot.decode(data, KEY), (slot.CONFIRMED, 7, {"a": 1}))
        text = slot.encode(slot.CONFIRMED, 7, "x", KEY, IV)
        self.assertEqual(text[:10], data[:10])

    def test_every_truncation(self):
        """Cut anywhere, or with more after it: nothing."""
        for key, whole in keyed():
            for end in range(len(whole)):
                self.assertIsNone(slot.decode(whole[:end], key), end)
                self.assertIsNone(slot.decode(whole[end + 1 :], key), end)
            for tail in (b"\0", b"\xff", whole):
                self.assertIsNone(slot.decode(whole + tail, key))

    def test_every_flipped_bit(self):
        """One bit anywhere: nothing."""
        for key, whole in keyed():
            for bit in range(len(whole) * 8):
                broken = bytearray(whole)
                broken[bit // 8] ^= 1 << bit % 8
                self.assertIsNone(slot.decode(bytes(broken), key), bit)

    def test_forged(self):
        """Under a key a good checksum is not enough, whatever was changed."""
        whole = slot.encode(slot.CANDIDATE, 7, RECORD, KEY, IV)
        for bit in range((len(whole) - 4) * 8):
            broken = bytearray(whole[:-4])
            broken[bit // 8] ^= 1 << bit % 8
            self.assertIsNone(slot.decode(checked(bytes(broken)), KEY), bit)

    def test_state_and_sequence_are_sealed(self):
        """A candidate cannot be made a confirmed record, nor an old one a new one."""
        whole = slot.encode(slot.CANDIDATE, 7, RECORD, KEY, IV)[:-4]
        for head in (b"PtAc\x02\x02\0\0\0\x07", b"PtAc\x02\x01\0\0\0\x08"):
            self.assertIsNone(slot.decode(checked(head + whole[10:]), KEY))

    def test_clear_under_a_key(self):
        """Whoever has a key takes nothing that is not sealed, and the reverse."""
        (_, clear), (_, sealed) = keyed()
        self.assertIsNone(slot.decode(clear, KEY))
        self.assertIsNone(slot.decode(sealed))
        # Nor if the version says otherwise.
        for data, key in ((clear, KEY), (sealed, None)):
            other = bytearray(data[:-4])
            other[4] ^= 3
            self.assertIsNone(slot.decode(checked(bytes(other)), key))

    def test_other_key(self):
        """A slot of another board does not open."""
        (_, _), (_, sealed) = keyed()
        self.assertIsNone(slot.decode(sealed, OTHER))
        self.assertIsNone(slot.decode(sealed, KEY[:31]))

    def test_other_purpose(self):
        """What was sealed with this key for anything else is no slot."""
        context = struct.pack(">BI", slot.CONFIRMED, 7)
        box = seal.seal(KEY, b"seal", context, b'{"a":1}', IV)
        head = b"PtAc\x02\x02\0\0\0\x07" + struct.pack(">H", len(box))
        self.assertIsNone(slot.decode(checked(head + box), KEY))

    def test_future_version(self):
        """A version that this firmware does not know: nothing."""
        for key, whole in keyed():
            for version in (0, 3, 4, 255):
                data = bytearray(whole[:-4])
                data[4] = version
                self.assertIsNone(slot.decode(checked(bytes(data)), key), version)

    def test_not_a_slot(self):
        """Erased flash, other people's files, a good checksum over anything."""
        for key in (None, KEY):
            for data in (
                b"",
                b"\xff" * 64,
                bytes(64),
                b'{"a":1}',
                checked(b""),
                checked(b"PtAc"),
                checked(b"ptac\x01\x01\0\0\0\x01\0\x02{}"),
                checked(b"PtAc\x01\x01\0\0\0\x01\0\x03{}"),
                checked(b"PtAc\x01\x01\0\0\0\x01\0\x01{}"),
                checked(b"PtAc\x01\x01\0\0\0\x01\0\0"),
                checked(b"PtAc\x01\x01\0\0\0\x01\0\x01{"),
                checked(b"PtAc\x01\x01\0\0\0\x01\0\x07{'a':1}"),
                checked(b"PtAc\x02\x01\0\0\0\x01\0\x02{}"),
                checked(b"PtAc\x02\x01\0\0\0\x01\0\0"),
                checked(b"PtAc\x02\x01\0\0\0\x01\0\x20" + bytes(32)),
                checked(b"PtAc\x02\x01\0\0\0\x01\0\x40" + bytes(64)),
            ):
                self.assertIsNone(slot.decode(data, key), data)

    def test_sealed_nonsense(self):
        """A good seal over what is no JSON: nothing."""
        for text in (b"", b"{", b"\xff", b'{"a" 1}', b'"' + b"x" * 4095 + b'"'):
            box = seal.seal(KEY, b"flash", struct.pack(">BI", 1, 7), text, IV)
            head = b"PtAc\x02\x01\0\0\0\x07" + struct.pack(">H", len(box))
            self.assertIsNone(slot.decode(checked(head + box), KEY), text[:9])

    def test_size_at_the_edge(self):
        """4096 bytes of JSON fit, sealed too, and MAX_SLOT holds them; no more."""
        for key in (None, KEY):
            data = slot.encode(1, 1, "x" * 4094, key, IV)
            self.assertTrue(len(data) <= slot.MAX_SLOT)
            self.assertEqual(slot.decode(data, key), (1, 1, "x" * 4094))
            self.assertIsNone(slot.encode(1, 1, "x" * 4095, key, IV))

    def test_nothing_is_in_clear(self):
        """Under a key neither secrets nor names of members are in the bytes."""
        (_, clear), (_, sealed) = keyed()
        for word in (b"s3cret", b"deviceSecret", b"device", b"null"):
            self.assertIn(word, clear)
            self.assertNotIn(word, sealed)

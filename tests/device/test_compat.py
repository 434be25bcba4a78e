"""point.compat: one spelling for every runtime."""

import sys
import unittest

from point import compat


class Compat(unittest.TestCase):
    def test_crc32_check_value(self):
        """The CRC-32 of "123456789" is the one in every catalogue."""
        self.assertEqual(compat.crc32(b"123456789"), 0xCBF43926)
        self.assertEqual(compat.crc32(b""), 0)

    def test_crc32_without_the_firmware(self):
        """Our own CRC agrees with the firmware's, which some builds lack."""

        class Bare:
            pass

        theirs = [compat.crc32(bytes(range(n))) for n in range(0, 256, 17)]
        firmware, compat.binascii = compat.binascii, Bare
        try:
            ours = [compat.crc32(bytes(range(n))) for n in range(0, 256, 17)]
        finally:
            compat.binascii = firmware
        self.assertEqual(ours, theirs)

    def test_ticks_measure_time(self):
        """ticks_diff() of now and of now plus something is that something."""
        now = compat.ticks_ms()
        self.assertEqual(compat.ticks_diff(compat.ticks_add(now, 250), now), 250)
        self.assertEqual(compat.ticks_diff(now, compat.ticks_add(now, 250)), -250)
        compat.sleep_ms(2)
        self.assertGreaterEqual(compat.ticks_diff(compat.ticks_ms(), now), 1)

    def test_epoch_makes_unix_seconds(self):
        """time() plus EPOCH counts from 1970 on every port."""
        self.assertIn(compat.EPOCH, (0, 946684800))
        self.assertGreater(int(compat.time.time()) + compat.EPOCH, 1700000000)

    def test_const_is_its_value(self):
        """const() changes nothing but the bytecode."""
        self.assertEqual(compat.const(7), 7)

    def test_every_name_is_there(self):
        """What the component takes from here exists, except tls where there is none."""
        for name in "binascii hashlib json os socket struct time io tls gc sys".split():
            self.assertTrue(hasattr(compat, name), name)

    def test_who_runs_us(self):
        """`micropython` is the module, or None where there is none."""
        found = compat.micropython is not None
        self.assertEqual(found, sys.implementation.name == "micropython")

    def test_aes_vectors(self):
        """NIST SP 800-38A, F.1.1 and F.2.1: AES-128 in ECB and in CBC."""
        unhex = compat.binascii.unhexlify
        key = unhex("2b7e151628aed2a6abf7158809cf4f3c")
        iv = bytes(range(16))
        text = unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
        for mode, more, expected in (
            (1, (), "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"),
            (
                2,
                (iv,),
                "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
            ),
        ):
            cipher = compat.aes(key, mode, *more).encrypt(text)
            self.assertEqual(cipher, unhex(expected))
            self.assertEqual(compat.aes(key, mode, *more).decrypt(cipher), text)

    def test_aes_goes_on(self):
        """CBC goes on from block to block, also over two calls."""
        key, iv = bytes(16), bytes(range(16))
        whole = compat.aes(key, 2, iv).encrypt(b"a" * 32)
        cipher = compat.aes(key, 2, iv)
        self.assertEqual(cipher.encrypt(b"a" * 16) + cipher.encrypt(b"a" * 16), whole)

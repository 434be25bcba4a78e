"""point.compat: one spelling for every runtime."""

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
        for name in "binascii json os socket struct time io tls".split():
            self.assertTrue(hasattr(compat, name), name)

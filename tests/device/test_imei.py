"""point.imei: 15 digits and their check digit."""

import unittest

from point import imei
from point.errors import PointError

GOOD = "490154203237518"  # the example of 3GPP TS 23.003 Annex B


class Imei(unittest.TestCase):
    def refused(self, value):
        with self.assertRaises(PointError) as raised:
            imei.check(value)
        self.assertEqual(raised.exception.name, "IMEI", repr(value))
        if type(value) is str and value:
            self.assertNotIn(value, raised.exception.detail)

    def test_good(self):
        """A right IMEI comes back as it is."""
        for value in (GOOD, "867394040000019", "356938035643809"):
            self.assertIs(imei.check(value), value)

    def test_every_other_check_digit(self):
        """Nine of ten last digits are wrong."""
        for digit in "0123456789":
            if digit != GOOD[-1]:
                self.refused(GOOD[:-1] + digit)

    def test_every_single_wrong_digit(self):
        """Luhn finds each single wrong digit, at each place."""
        for place in range(15):
            for digit in "0123456789":
                if digit != GOOD[place]:
                    self.refused(GOOD[:place] + digit + GOOD[place + 1 :])

    def test_length(self):
        """Fourteen digits are a TAC and a serial number, sixteen an IMEISV."""
        for value in ("", GOOD[:14], GOOD + "0", " " + GOOD[1:], GOOD + "\n"):
            self.refused(value)

    def test_zeros(self):
        """A modem that was never given an IMEI: its zeros would check."""
        self.refused("0" * 15)

    def test_characters(self):
        """Only ASCII digits count, whatever else a runtime calls a digit."""
        for char in "a -/:\u0663\uff11\x00":
            self.refused(char + GOOD[1:])
            self.refused(GOOD[:14] + char)

    def test_types(self):
        """A modem that answers -1, None or bytes has not given an IMEI."""
        for value in (-1, None, int(GOOD), GOOD.encode(), True, [], 4.9):
            self.refused(value)

    def test_masked(self):
        """A log sees the model and the last three digits."""
        self.assertEqual(imei.masked(GOOD), "49015420****518")

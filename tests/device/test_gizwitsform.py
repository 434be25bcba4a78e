"""point.gizwits.form: forms, and what the older cloud encrypts them by."""

import unittest

from point.errors import PointError
from point.gizwits import form as gizwitsform

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


class Form(unittest.TestCase):
    def refused(self, name, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.name, name)
        self.assertNotIn(SECRET, str(raised.exception))

    def test_parse(self):
        """Pairs, with empty values and equals signs in values; ends may be blank."""
        found = gizwitsform.parse(b"did=x&host=m2m.example.com&port=1883&a=&b=c=d\r\n")
        expected = {"did": "x", "host": "m2m.example.com", "port": "1883"}
        expected.update({"a": "", "b": "c=d"})
        self.assertEqual(found, expected)

    def test_not_a_form(self):
        """HTML, JSON, nothing, half a pair, no text."""
        for text in (b"", b"<html></html>", b"{}", b"a", b"a=b&", b"=b", b"\xff=a"):
            self.refused("MALFORMED", gizwitsform.parse, text)

    def test_every_length_comes_back(self):
        """Always filled by us, so that no length is taken for filling."""
        for count in range(40):
            text = "x" * count
            sealed = gizwitsform.sealed(SECRET, text)
            self.assertEqual(len(sealed), 32 * (count // 16 + 1))
            opened = gizwitsform.opened(SECRET, sealed.encode())
            self.assertEqual(opened, text.encode())

    def test_upper_case_and_line_ends(self):
        """A reply may be in capitals and end a line."""
        sealed = gizwitsform.sealed(SECRET, "did=x").upper().encode() + b"\r\n"
        self.assertEqual(gizwitsform.opened(SECRET, sealed), b"did=x")

    def test_replies_that_are_none(self):
        """Not hex, or not whole blocks."""
        good = gizwitsform.sealed(SECRET, "did=x").encode()
        for reply in (
            b"",
            b" ",
            b"did=x",
            good[:-1],
            good[:-2],
            b"zz" * 16,
            good + b"00",
        ):
            self.refused("MALFORMED", gizwitsform.opened, SECRET, reply)
        self.refused("MALFORMED", gizwitsform.opened, SECRET, b"\xff" * 32)

    def test_another_secret(self):
        """What was made with another gives no form."""
        sealed = gizwitsform.sealed(SECRET, "did=x&port=1883").encode()
        opened = gizwitsform.opened("f" + SECRET[1:], sealed)
        self.refused("MALFORMED", gizwitsform.parse, opened)

    def test_secrets_that_are_none(self):
        """32 hex digits, and what is wrong is not repeated."""
        for secret in ("", SECRET[:-1], SECRET + "0", "g" * 32):
            self.refused("SETTING", gizwitsform.sealed, secret, "a=b")

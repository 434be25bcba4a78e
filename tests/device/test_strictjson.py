"""point.strictjson: JSON by the book, on a runtime whose own parser forgives."""

import json
import unittest

from point import credentials, strictjson
from point.errors import PointError

DOCUMENT = (
    b'{"code":"00000","result":{"device":{"productKey":"a\\u0041\\n","n":-1.5e+3},'
    b'"connect":{"qos":1,"ok":true,"no":[],"x":{},"y":[null,false,0]}}}'
)
VALID = (
    b"null",
    b"true",
    b"false",
    b"0",
    b"-0",
    b"10",
    b"-12.5",
    b"1e9",
    b"1E-9",
    b"1.25e+2",
    b'""',
    b'"a"',
    b'"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"',
    b'"\x7f"',
    '"\u00e9\u4f60"'.encode(),
    b"[]",
    b"{}",
    b" \t\r\n[ 1 , 2 ] ",
    b'{"a":{"b":[{}]}}',
    b'[[],{},"",0]',
    b'{"a":1,"a":2}',
    DOCUMENT,
)
INVALID = (
    b"",
    b" ",
    b"nul",
    b"nulll",
    b"True",
    b"None",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"-",
    b"+1",
    b"01",
    b"-01",
    b"00",
    b".5",
    b"1.",
    b"1.e3",
    b"1e",
    b"1e+",
    b"0x10",
    b"1_0",
    b"1 2",
    b"1,2",
    b'"',
    b'"a',
    b"'a'",
    b'"\t"',
    b'"\n"',
    b'"\x00"',
    b'"\\x"',
    b'"\\u12"',
    b'"\\u12g4"',
    b'"\\',
    b'"a"b',
    b"[",
    b"]",
    b"[1",
    b"[1,",
    b"[1,]",
    b"[,1]",
    b"[1 2]",
    b"[1:2]",
    b"[}",
    b"{]",
    b"[1}",
    b'{"a":1]',
    b"{",
    b"}",
    b'{"a"',
    b'{"a":',
    b'{"a":1',
    b'{"a":1,',
    b'{"a":1,}',
    b'{,"a":1}',
    b'{"a" 1}',
    b'{"a",1}',
    b"{1:2}",
    b"{a:1}",
    b"{null:1}",
    b'{"a":1 "b":2}',
    b'{"a":1:2}',
    b'{"a"::1}',
    b"{}{}",
    b"[][]",
    b"[[]",
    b"[]]",
    b"\x0b1",
    b"\xa01",
    b"\xef\xbb\xbf{}",
    b"/**/1",
    b"[1]//",
    b"\x00",
    b"\xff",
)


class StrictJson(unittest.TestCase):
    def test_valid(self):
        """What RFC 8259 allows is parsed, to what the runtime's parser makes of it."""
        for text in VALID:
            self.assertEqual(strictjson.loads(text), json.loads(text), text)

    def test_invalid(self):
        """What it does not allow raises ValueError."""
        for text in INVALID:
            with self.subTest(text=text), self.assertRaises(ValueError):
                strictjson.loads(text)

    def test_every_truncation(self):
        """No beginning of a document is a document."""
        for end in range(len(DOCUMENT)):
            with self.assertRaises(ValueError):
                strictjson.loads(DOCUMENT[:end])

    def test_every_byte_left_out(self):
        """A byte that is missing never makes the runtime's parser guess."""
        for at in range(len(DOCUMENT)):
            try:
                strictjson.loads(DOCUMENT[:at] + DOCUMENT[at + 1 :])
            except ValueError:
                continue
            self.assertNotIn(DOCUMENT[at : at + 1], (b"{", b"}", b"[", b"]", b":"))

    def test_trailing_garbage(self):
        """Nothing but white space may follow."""
        for tail in (b"x", b",", b"}", b"]", b"0", b'""', b"{}", b"\x00", b"\x0b"):
            with self.assertRaises(ValueError):
                strictjson.loads(DOCUMENT + tail)
        strictjson.loads(DOCUMENT + b" \r\n\t")

    def test_depth(self):
        """Eight levels are read; a ninth is refused whatever follows."""
        strictjson.loads(b"[" * 8 + b"]" * 8)
        strictjson.loads(b'{"a":' * 8 + b"1" + b"}" * 8)
        for text in (
            b"[" * 9 + b"]" * 9,
            b"[" * 100000,
            b'{"a":' * 20000,
            b'[{"a":' * 9,
        ):
            with self.assertRaises(ValueError):
                strictjson.loads(text)

    def test_bad_utf8(self):
        """What is not UTF-8, or longer than its sign needs, is never plain text."""
        for bad in (
            b"\xff",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xc1\x81",
            b"\xe0\x81\x81",
        ):
            with self.subTest(bad=bad):
                try:
                    value = strictjson.loads(b'"' + bad + b'"')
                except ValueError:
                    continue
                with self.assertRaises(PointError):
                    credentials.text("name", value)

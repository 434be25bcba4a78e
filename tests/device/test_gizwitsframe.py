"""point.gizwits.frame: what the older cloud's apps and devices say to each other."""

import unittest

from point.errors import PointError
from point.gizwits.frame import ANSWERED, ASKED, FROM_DEVICE, TO_DEVICE, decode, encode


class Frame(unittest.TestCase):
    def refused(self, name, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.name, name)

    def test_every_length_comes_back(self):
        """Around where the length takes another byte, and the longest."""
        for count in (0, 1, 2, 119, 120, 124, 125, 126, 4096):
            payload = bytes([n & 255 for n in range(count)])
            frame = encode(FROM_DEVICE, payload)
            self.assertEqual(decode(frame), (FROM_DEVICE, payload, None))
            frame = encode(ANSWERED, payload, count)
            self.assertEqual(decode(frame), (ANSWERED, payload, count))

    def test_other_commands_are_read(self):
        """Online counts and firmware notices are frames too, and not ours to judge."""
        self.assertEqual(decode(encode(0x0210, b"\0\1")), (0x0210, b"\0\1", None))

    def test_numbers(self):
        """They go with the two commands that carry them, and only there."""
        self.refused("OPTION", encode, TO_DEVICE, b"", 1)
        self.refused("OPTION", encode, ASKED, b"")
        self.refused("TOO_LARGE", encode, FROM_DEVICE, bytes(4097))

    def test_what_is_no_frame(self):
        """Each cut, each longer one, another version, flag or length."""
        for frame in (encode(ASKED, b"\x01\xff", 7), encode(TO_DEVICE, bytes(200))):
            for count in range(len(frame)):
                self.refused("MALFORMED", decode, frame[:count])
            self.refused("MALFORMED", decode, frame + b"\0")
            for place in range(5):  # version and length
                wrong = frame[:place] + bytes([frame[place] ^ 1]) + frame[place + 1 :]
                self.refused("MALFORMED", decode, wrong)
        self.refused("MALFORMED", decode, b"\0\0\0\3\3\1\0\x90")  # a flag
        self.refused("MALFORMED", decode, b"\0\0\0\3\3\0\0\x93")  # without its number
        self.refused("MALFORMED", decode, b"\0\0\0\3\xff\xff\xff\xff\xff\xff")
        self.refused("MALFORMED", decode, b"\0\0\0\3\x80\x80\x80\x80\0")

    def test_any_bytes(self):
        """Whatever comes, a frame or MALFORMED."""
        state = 1
        for _ in range(500):
            data = b"\0\0\0\3"
            for _ in range(12):
                state = state * 1103515245 + 12345 & 0x7FFFFFFF
                data += bytes([state >> 16 & 15])
            try:
                command, payload, number = decode(data)
            except PointError as error:
                self.assertEqual(error.name, "MALFORMED")
            else:
                self.assertEqual(encode(command, payload, number)[5:], data[5:])

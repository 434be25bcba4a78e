"""point.url: which URLs a board posts to."""

import unittest

from point import url
from point.errors import PointError

GOOD = (
    ("https://a", (True, "a", "a", 443, "/")),
    ("http://a", (False, "a", "a", 80, "/")),
    ("https://a/", (True, "a", "a", 443, "/")),
    ("https://a.b:8443/c/d?e=f", (True, "a.b:8443", "a.b", 8443, "/c/d?e=f")),
    ("https://10.0.0.1:1/x:y", (True, "10.0.0.1:1", "10.0.0.1", 1, "/x:y")),
    ("https://[::1]:8443/x", (True, "[::1]:8443", "::1", 8443, "/x")),
    ("https://[fe80::1]/x", (True, "[fe80::1]", "fe80::1", 443, "/x")),
    ("https://a/!~", (True, "a", "a", 443, "/!~")),
    ("https://a:65535/", (True, "a:65535", "a", 65535, "/")),
)
BAD = (
    "",
    "a",
    "https:",
    "https:/a",
    "https://",
    "https:///x",
    "HTTPS://a",
    "ftp://a",
    "xhttps://a",
    " https://a",
    "https://a b/",
    "https://a/\r\nX: y",
    "https://a/\x00",
    "https://a/\x7f",
    "https://\u00fc.de/",
    "https://a:0/",
    "https://a:65536/",
    "https://a:-1/",
    "https://a:8x/",
    "https://a:+8/",
    "https://:443/",
    "https://user:word@a/",
    None,
    7,
    b"https://a/",
)


class Url(unittest.TestCase):
    def test_good(self):
        """Scheme, Host header, host, port and path of what a board may post to."""
        for given, expected in GOOD:
            self.assertEqual(url.split(given), expected, given)

    def test_bad(self):
        """Anything else is refused before a byte is sent."""
        for given in BAD:
            with self.assertRaises(PointError) as raised:
                url.split(given)
            self.assertEqual(raised.exception.name, "OPTION", repr(given))

"""point.https: what is sent, and what is believed of an answer."""

import sys
import unittest

import fakes
from fakes import http

from point import https
from point.errors import PointError

URL = "https://p.example.com:8443/v1/devices?x=1"
DATA = {"imei": "490154203237518"}
GOLDEN = (
    b"POST /v1/devices?x=1 HTTP/1.1\r\n"
    b"Host: p.example.com:8443\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 27\r\n"
)
BODY = b'{"imei": "490154203237518"}'
TRUST = {"ca": b"ca"}


class Case(unittest.TestCase):
    def post(self, reply=None, url=URL, headers=None, trust=TRUST, timeout_s=30):
        """One post over a connection of its own."""
        self.board = fakes.Board(replies=[http(b"{}") if reply is None else reply])
        server = https.HttpClient(self.board.connect, url, trust, timeout_s)
        try:
            return server.post(DATA, headers)
        finally:
            server.close()

    def sent(self):
        return b"".join(self.board.streams[0].writes)

    def refused(self, reply, name):
        with self.assertRaises(PointError) as raised:
            self.post(reply)
        self.assertEqual(raised.exception.name, name, reply[:60])
        self.assertEqual(self.board.streams[0].closed, 1)


class Request(Case):
    def test_golden_bytes(self):
        """The request, byte by byte, in exactly one write."""
        self.post()
        self.assertEqual(self.board.streams[0].writes, [GOLDEN + b"\r\n" + BODY])
        self.assertEqual(self.board.streams[0].closed, 1)

    def test_form(self):
        """Bytes of another type go as they are, under that type."""
        board = fakes.Board(replies=[http(b"{}")])
        server = https.HttpClient(board.connect, URL, TRUST, 30)
        found = server.send(
            b"a=b&c=d", "application/x-www-form-urlencoded", {"X-Key": "k"}
        )
        self.assertEqual(found, (200, b"{}"))
        head = GOLDEN.replace(b"/json", b"/x-www-form-urlencoded")
        head = head.replace(b": 27", b": 7") + b"X-Key: k\r\n"
        self.assertEqual(board.streams[0].writes, [head + b"\r\na=b&c=d"])

    def test_get(self):
        """Without a body it is a GET, of another path on the same connection."""
        board = fakes.Board(replies=[http(b"{}") + http(b"a=b", "404 Not Found")])
        server = https.HttpClient(board.connect, URL, TRUST, 30)
        server.post({})
        found = server.send(None, None, {"X-Key": "k"}, "/other?a=b")
        self.assertEqual(found, (404, b"a=b"))
        self.assertEqual(len(board.connected), 1)
        host = GOLDEN.split(b"\r\n")[1]
        head = b"GET /other?a=b HTTP/1.1\r\n" + host + b"\r\nX-Key: k\r\n\r\n"
        self.assertEqual(board.streams[0].writes[1:], [head])

    def test_connection(self):
        """Host, port, trust and the time limit go to whoever connects."""
        self.post(timeout_s=7)
        self.assertEqual(
            self.board.connected, [("p.example.com", 8443, {"ca": b"ca"}, 7)]
        )
        self.assertIs(self.board.connected[0][2], TRUST)
        for trust in (None, {}):
            self.post(url="https://a/", trust=trust)
            self.assertEqual(self.board.connected, [("a", 443, {}, 30)])
            self.post(url="http://a/", trust=trust)
            self.assertEqual(self.board.connected, [("a", 80, None, 30)])

    def test_nothing_before_it_is_asked_for(self):
        """The constructor connects to nobody, and an unused server closes quietly."""
        board = fakes.Board()
        server = https.HttpClient(board.connect, URL, TRUST, 30)
        server.close()
        server.close()
        self.assertEqual(board.connected, [])

    def test_trust_on_plain_http(self):
        """Trust with an http URL would verify nobody: refused before connecting."""
        # An empty file is no reason to trust everybody.
        for trust in ({"ca": b"ca"}, {"ca": b""}, {"pins": [bytes(32)]}):
            with self.assertRaises(PointError) as raised:
                self.post(url="http://a/", trust=trust)
            self.assertEqual(raised.exception.name, "OPTION")
            self.assertEqual(self.board.connected, [])

    def test_data_that_is_no_json(self):
        """What JSON cannot say is the caller's mistake, told before connecting."""
        board = fakes.Board()
        server = https.HttpClient(board.connect, URL, TRUST, 30)
        if sys.implementation.name == "cpython":  # MicroPython writes their repr
            with self.assertRaises(PointError) as raised:
                server.post({"a": b"bytes"})
            self.assertEqual(raised.exception.name, "OPTION")
        self.assertEqual(board.connected, [])

    def test_headers(self):
        """The caller's headers pass, in one write, except those that are ours."""
        ours = {"content-type": "text/plain", "HOST": "b", "Content-length": "5"}
        ours.update({"Transfer-Encoding": "chunked", "CONNECTION": "keep-alive"})
        for name in ours:
            self.post(headers={name: ours[name]})
            self.assertEqual(self.sent(), GOLDEN + b"\r\n" + BODY, name)
        self.post(headers={"X-Key": "a b"})
        expected = GOLDEN + b"X-Key: a b\r\n\r\n" + BODY
        self.assertEqual(self.board.streams[0].writes, [expected])

    def test_headers_are_left_alone(self):
        """The caller's dict is neither changed nor kept."""
        headers = {"Content-Type": "text/plain", "X": "y"}
        self.post(headers=headers)
        self.assertEqual(headers, {"Content-Type": "text/plain", "X": "y"})

    def test_header_injection(self):
        """A line break in a header is refused before connecting."""
        for name, value in (
            ("X", "a\r\nHost: b"),
            ("X", "a\n"),
            ("X", "\ra"),
            ("X\r\nY", "a"),
            ("X\n", "a"),
            ("Host\r\nX", "a"),
        ):
            with self.assertRaises(PointError) as raised:
                self.post(headers={name: value})
            self.assertEqual(raised.exception.name, "OPTION")
            self.assertEqual(self.board.connected, [])

    def test_bad_url(self):
        """Refused before connecting."""
        for url in ("", "a", "ftp://a/", "https://a/ b", "https://a/\r\nX: y", None):
            with self.assertRaises(PointError) as raised:
                self.post(url=url)
            self.assertEqual(raised.exception.name, "OPTION")

    def test_failed_connection(self):
        """What connecting raises comes through, and nothing needs closing."""
        error = PointError(22)
        with self.assertRaises(PointError) as raised:
            self.post(error)
        self.assertIs(raised.exception, error)
        self.assertEqual(self.board.streams, [])


class KeptAlive(Case):
    def posts(self, *replies):
        """The answers to one post after another of one server, and its board."""
        board = fakes.Board(replies=replies)
        server = https.HttpClient(board.connect, URL, TRUST, 30)
        return board, server

    def closed(self, board):
        return [stream.closed for stream in board.streams]

    def test_reused(self):
        """A second post goes over the same connection, before the same deadline."""
        board, server = self.posts(http(b'{"a":1}') + http(b"", "404 x") + http(b"c"))
        self.assertEqual(server.post(DATA), (200, b'{"a":1}'))
        self.assertEqual(server.post({"b": 2}), (404, b""))
        self.assertEqual(server.post(DATA, {"X-Key": "k"}), (200, b"c"))
        self.assertEqual(len(board.connected), 1)
        stream = board.streams[0]
        self.assertEqual(len(stream.writes), 3)
        self.assertEqual(stream.writes[0], GOLDEN + b"\r\n" + BODY)
        self.assertEqual(stream.writes[1].split(b"\r\n\r\n")[1], b'{"b": 2}')
        self.assertEqual(stream.deadlines, [])  # the one it was opened with holds
        self.assertEqual(self.closed(board), [0])
        server.close()
        server.close()
        self.assertEqual(self.closed(board), [1])

    def test_reused_after_chunks(self):
        """Chunks have an end, so the connection can go on."""
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
        chunked += b"0\r\nTrailer: x\r\n\r\n"
        board, server = self.posts(chunked + chunked)
        for _ in range(2):
            self.assertEqual(server.post(DATA), (200, b"{}"))
        self.assertEqual(len(board.connected), 1)

    def test_not_reused(self):
        """Where the server closes, or the end is its closing, a new one is opened."""
        for reply in (
            http(b"{}", head="Connection: close\r\n"),
            http(b"{}", head="CONNECTION: Close\r\n"),
            http(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"),
            b"HTTP/1.1 200 OK\r\n\r\n{}",
            b"HTTP/1.0 200 OK\r\n\r\n{}",
            b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"{}", head="connection:close\r\n"),
        ):
            board, server = self.posts(reply, http(b"x"))
            self.assertEqual(server.post(DATA), (200, b"{}"), reply)
            self.assertEqual(self.closed(board), [1], reply)
            self.assertEqual(server.post(DATA), (200, b"x"))
            self.assertEqual(self.closed(board), [1, 0])

    def test_kept(self):
        """Other values of Connection do not close; nor does a 100 of HTTP/1.0."""
        for reply in (
            http(b"{}", head="Connection: keep-alive\r\n"),
            b"HTTP/1.0 100 Continue\r\n\r\n" + http(b"{}"),
        ):
            board, server = self.posts(reply)
            self.assertEqual(server.post(DATA), (200, b"{}"), reply)
            self.assertEqual(self.closed(board), [0], reply)

    def test_server_has_gone(self):
        """A connection that the server has closed meanwhile is a cut reply."""
        board, server = self.posts(http(b"{}"))
        server.post(DATA)
        with self.assertRaises(PointError) as raised:
            server.post(DATA)
        self.assertEqual(raised.exception.name, "CLOSED")
        server.close()
        self.assertEqual(self.closed(board), [1])


class Reply(Case):
    def test_content_length(self):
        """Exactly as many bytes as were announced."""
        for body in (b"", b"{}", b"x" * 4096):
            self.assertEqual(self.post(http(body)), (200, body))
        self.assertEqual(self.post(http(b"{}") + b"more"), (200, b"{}"))

    def test_any_status(self):
        """The status is the caller's to judge; a redirect is not followed."""
        for status in ("404 Not Found", "500 x y z", "302 Found", "999 ", "200"):
            reply = http(b"{}", status, "Location: https://elsewhere/\r\n")
            self.assertEqual(self.post(reply), (int(status[:3]), b"{}"))
            self.assertEqual(len(self.board.connected), 1)

    def test_until_close(self):
        """Without a length the body ends with the connection."""
        for version in (b"HTTP/1.0", b"HTTP/1.1"):
            for body in (b"", b"{}", b"x" * 4096):
                head = version + b" 200 OK\r\n\r\n"
                self.assertEqual(self.post(head + body), (200, body))
        self.refused(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 4097, "TOO_LARGE")

    def test_continue_first(self):
        """ "100 Continue" and its kind come before the reply."""
        reply = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n"
        self.assertEqual(self.post(reply + http(b"{}")), (200, b"{}"))
        self.refused(b"HTTP/1.1 100 Continue\r\n\r\n" * 200, "TOO_LARGE")
        self.refused(reply, "CLOSED")

    def test_too_large(self):
        """A length over 4096 is refused before the body is read."""
        reply = http(b"x" * 4097)
        self.refused(reply, "TOO_LARGE")
        self.assertEqual(self.board.streams[0].reply, b"x" * 4097)
        for length in (b"99999999999", b"9" * 30):
            reply = b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n{}"
            self.refused(reply, "TOO_LARGE")

    def test_cut_short(self):
        """Every beginning of a reply is a cut reply: a FIN raises nothing by itself."""
        whole = http(b'{"code":"40301"}', head="X: y\r\n")
        for end in range(len(whole)):
            self.refused(whole[:end], "CLOSED")
        self.post(whole)

    def test_cut_short_in_chunks(self):
        """The same, when it comes in chunks."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        whole = head + b"2\r\n{}\r\n0\r\n\r\n"
        for end in range(len(whole)):
            self.refused(whole[:end], "CLOSED")
        self.assertEqual(self.post(whole), (200, b"{}"))

    def test_not_http(self):
        """What does not begin like HTTP/1 is none."""
        for line in (
            b"",
            b"HTTP/2 200",
            b"HTTP/1.1",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 2x0 OK",
            b"HTTP/1.1 -20 OK",
            b"HTTP/1.1 \xb2\xb2\xb2 OK",
            b"ICY 200 OK",
            b"http/1.1 200 OK",
            b"<html>",
            b"{}",
            b"\x16\x03\x01\x02\x00",
            b"\x15\x03\x03\x00\x02\x02\x0a",
            b"\x00\xff\xfe",
        ):
            self.refused(line + b"\r\n\r\n", "MALFORMED")

    def test_bad_lengths(self):
        """Digits only: what int() forgives, a header may not."""
        for length in (
            b"",
            b"-1",
            b"+5",
            b"0x5",
            b"1_0",
            b"_1",
            b"5.0",
            b"5 5",
            b"5, 5",
            b"5,5",
            b"five",
            b"\xb2",
            b"\x00",
            b"1e1",
        ):
            reply = b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n"
            self.refused(reply + b"x" * 20, "MALFORMED")

    def test_two_lengths(self):
        """Two different lengths are refused; the same one twice is one."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: "
        self.refused(head + b"3\r\n\r\n{} ", "MALFORMED")
        self.assertEqual(self.post(head + b"2\r\n\r\n{}"), (200, b"{}"))

    def test_repeated_headers(self):
        """Headers that we do not read may come as often as a server likes."""
        head = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: x\r\nvary: y\r\n"
        self.assertEqual(self.post(http(b"{}", head=head)), (200, b"{}"))

    def test_bad_headers(self):
        """A line without a name and a colon is refused."""
        for line in ("no colon", ": x", ":"):
            self.refused(http(b"{}", head=line + "\r\n"), "MALFORMED")

    def test_odd_headers(self):
        """Any case, blanks or none, a bare line feed: all the same."""
        for line in (
            b"CONTENT-LENGTH:2",
            b"content-length:   2  ",
            b"Content-Length:\t2",
        ):
            for end in (b"\r\n", b"\n"):
                reply = b"HTTP/1.1 200 OK" + end + line + end + end + b"{}x"
                self.assertEqual(self.post(reply), (200, b"{}"))

    def test_head_caps(self):
        """2048 bytes in all, however they come."""
        lines = "".join(["X-%d: y\r\n" % number for number in range(100)])
        self.assertEqual(self.post(http(b"{}", head=lines)), (200, b"{}"))
        self.refused(http(b"{}", head=lines * 3), "TOO_LARGE")
        used = len(http(b"", head="X: \r\n"))
        self.assertEqual(
            self.post(http(b"", head="X: " + "y" * (2048 - used) + "\r\n"))[0], 200
        )
        self.refused(http(b"", head="X: " + "y" * (2049 - used) + "\r\n"), "TOO_LARGE")
        self.refused(b"HTTP/1.1 200 " + b"x" * 5000, "TOO_LARGE")
        self.refused(b"x" * 5000, "TOO_LARGE")


class Chunks(Case):
    HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"

    def test_good(self):
        """Chunks are joined; sizes are hex of either case, extensions are ignored."""
        for chunks, body in (
            (b"0\r\n\r\n", b""),
            (b"2\r\n{}\r\n0\r\n\r\n", b"{}"),
            (b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"{}"),
            (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
            (b"002;name=value\r\n{}\r\n0;x\r\nTrailer: y\r\n\r\n", b"{}"),
            (b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n", b"x" * 4096),
        ):
            self.assertEqual(self.post(self.HEAD + b"\r\n" + chunks), (200, body))

    def test_bad(self):
        """Bad sizes, missing ends."""
        for chunks in (
            b"\r\n",
            b"x\r\n",
            b"-2\r\n{}\r\n0\r\n\r\n",
            b"+2\r\n{}\r\n0\r\n\r\n",
            b"0x2\r\n{}\r\n0\r\n\r\n",
            b"0_2\r\n{}\r\n0\r\n\r\n",
            b"2\r\n{}x\r\n0\r\n\r\n",
            b"1\r\n{}\r\n0\r\n\r\n",
            b"2\r\n{}0\r\n\r\n",
        ):
            self.refused(self.HEAD + b"\r\n" + chunks, "MALFORMED")

    def test_too_large(self):
        """The sum counts, and a size is judged before its bytes are read."""
        for chunks in (
            b"1001\r\n",
            b"FFFFFFFFFFFF\r\n",
            b"1000\r\n" + b"x" * 4096 + b"\r\n1\r\nx\r\n0\r\n\r\n",
            b"1\r\nx\r\n" * 5000,
        ):
            self.refused(self.HEAD + b"\r\n" + chunks, "TOO_LARGE")

    def test_chunked_wins(self):
        """Beside a Content-Length the chunks count (RFC 9112 §6.3)."""
        reply = self.HEAD + b"Content-Length: 1\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        self.assertEqual(self.post(reply), (200, b"{}"))

    def test_other_encodings(self):
        """We asked for none, so anything but chunked is refused."""
        for coding in (b"gzip", b"gzip, chunked", b"chunked, chunked", b"identity"):
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding + b"\r\n\r\n"
            self.refused(head + b"0\r\n\r\n", "MALFORMED")
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
        self.assertEqual(self.post(head + b"0\r\n\r\n"), (200, b""))

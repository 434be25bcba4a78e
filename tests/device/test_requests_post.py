"""point.requests_post: other people's `requests`, however they answer."""

import json
import unittest

from point import requests_post
from point.errors import PointError


class Response:
    """Like micropython-lib's; a keyword replaces or, as None, removes a member."""

    def __init__(self, content=b'{"code":"1"}', **more):
        self.status_code = 200
        self.content = content
        self.closed = 0
        for name in more:
            setattr(self, name, more[name])

    def json(self):
        return json.loads(self.content)

    def close(self):
        self.closed += 1


class Bare:
    """Nothing but json(), as a minimal stand-in has it."""

    def __init__(self, value):
        self._value = value

    def json(self):
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


def pieces(*parts):
    for part in parts:
        if isinstance(part, Exception):
            raise part
        yield part


class Foreign(unittest.TestCase):
    def setUp(self):
        self.calls = []

    def post(self, response, headers=None, data=None):
        def call(url, json=None, headers=None):
            self.calls.append((url, json, headers))
            if isinstance(response, Exception):
                raise response
            return response

        given = {"imei": "1"} if data is None else data
        server = requests_post.RequestsClient(call, "https://a/")
        try:
            return server.post(given, headers)
        finally:
            server.close()

    def refused(self, response, name):
        with self.assertRaises(PointError) as raised:
            self.post(response)
        self.assertEqual(raised.exception.name, name)
        self.assertNotIn("s3cret", str(raised.exception))

    def test_called_like_requests(self):
        """url by place, json and headers by name, the Content-Type ours."""
        self.post(Response(), {"X-A": "b", "content-TYPE": "text/plain"})
        expected = {"X-A": "b", "Content-Type": "application/json"}
        self.assertEqual(self.calls, [("https://a/", {"imei": "1"}, expected)])

    def test_nothing_of_the_caller_changes(self):
        """The call gets copies, so that it may change what it likes."""
        headers = {"Content-Type": "text/plain", "X": "y"}
        data = {"imei": "1"}
        self.post(Response(), headers, data)
        self.assertEqual(headers, {"Content-Type": "text/plain", "X": "y"})
        _, sent, sent_headers = self.calls[0]
        self.assertIsNot(sent, data)
        self.assertIsNot(sent_headers, headers)

    def test_body_of_every_shape(self):
        """Bytes, text, generators of either, only text, only json()."""
        body = b'{"code":"1"}'
        for response in (
            Response(body),
            Response(body.decode()),
            Response(pieces(body[:5], body[5:])),
            Response(pieces(body[:5].decode(), body[5:])),
            Response(None, text=body.decode()),
            Response(None, text=pieces(body.decode())),
            Response([body[:1], body[1:]]),
        ):
            self.assertEqual(self.post(response), (200, body))
            self.assertEqual(response.closed, 1)
        status, found = self.post(Bare({"code": "1"}))
        self.assertEqual((status, json.loads(found)), (200, {"code": "1"}))

    def test_status(self):
        """The status comes through; where there is none it counts as 200."""
        self.assertEqual(self.post(Response(status_code=503))[0], 503)
        self.assertEqual(self.post(Response(status_code="503"))[0], 503)
        self.assertEqual(self.post(Bare({}))[0], 200)

    def test_empty_answers(self):
        """QuecPython's json() is None without a body; that is JSON's null."""
        self.assertEqual(self.post(Bare(None)), (200, b"null"))
        self.assertEqual(self.post(Response(b"")), (200, b""))
        self.assertEqual(self.post(Response(pieces())), (200, b""))

    def test_exceptions_of_the_call(self):
        """Whatever it raises, a PointError comes out, and without its text."""
        for error, name in (
            (IndexError("s3cret"), "CLOSED"),
            (RuntimeError("s3cret"), "CLOSED"),
            (ValueError("s3cret"), "CLOSED"),
            (NotImplementedError("s3cret"), "CLOSED"),
            (KeyError("s3cret"), "CLOSED"),
            (TypeError("s3cret"), "CLOSED"),
            (OSError(110), "TIMEOUT"),
            (OSError(-110), "TIMEOUT"),
            (OSError(104), "CLOSED"),
            (OSError(), "CLOSED"),
            (OSError("s3cret"), "CLOSED"),
        ):
            self.refused(error, name)

    def test_exceptions_of_the_body(self):
        """A body that breaks while it is read is refused, and the response closed."""
        for error, name in (
            (OSError(110), "TIMEOUT"),
            (OSError(104), "CLOSED"),
            (ValueError("s3cret"), "MALFORMED"),
            (IndexError("s3cret"), "MALFORMED"),
        ):
            response = Response(pieces(b"{", error))
            self.refused(response, name)
            self.assertEqual(response.closed, 1)
        self.refused(Bare(ValueError("s3cret")), "MALFORMED")
        self.refused(Response(pieces(7)), "MALFORMED")
        self.refused(Response(status_code="x"), "MALFORMED")
        self.refused(Response(status_code=None), "MALFORMED")

    def test_no_response(self):
        """A call that gives None has got nothing from the server."""
        self.refused(None, "CLOSED")

    def test_memory(self):
        """Memory that runs out is for the caller to tell, and the response closed."""
        with self.assertRaises(MemoryError):
            self.post(MemoryError())
        response = Response(pieces(MemoryError()))
        with self.assertRaises(MemoryError):
            self.post(response)
        self.assertEqual(response.closed, 1)

    def test_size(self):
        """4096 bytes are read; a generator is left at the first piece too many."""
        for body in (b"x" * 4096, pieces(b"x" * 4000, "x" * 96)):
            self.assertEqual(self.post(Response(body))[1], b"x" * 4096)
        taken = []

        def endless():
            while True:
                taken.append(1)
                yield b"x" * 1000

        for body in (b"x" * 4097, endless()):
            response = Response(body)
            self.refused(response, "TOO_LARGE")
            self.assertEqual(response.closed, 1)
        self.assertEqual(len(taken), 5)

    def test_close_may_fail(self):
        """A response that cannot be closed does not undo a good reply."""

        class Stuck(Response):
            def close(self):
                raise OSError(9)

        self.assertEqual(self.post(Stuck(b"{}")), (200, b"{}"))
        self.refused(Stuck(b"x" * 4097), "TOO_LARGE")

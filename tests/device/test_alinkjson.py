"""point.aliyun.alink_json: Alink's messages, and hostile ones in their place."""

import json
import unittest

import fakes
from alinks import NO_MESSAGES, mutations

from point.aliyun import alink_json as alinkjson
from point.aliyun.alink_json import Answers, decode, request
from point.errors import FIELD, PointError

GOOD = b'{"id":"7","version":"1.0","method":"thing.x","params":{"a":1}}'


class Messages(unittest.TestCase):
    def test_request(self):
        """The members of the SDK's, the id as text."""
        found = json.loads(request(12, "thing.a.b", {"token": "T"}))
        expected = {"id": "12", "version": "1.0", "method": "thing.a.b"}
        expected["params"] = {"token": "T"}
        self.assertEqual(found, expected)

    def test_ids(self):
        """Text or a number of up to 20 digits; what is given back is text."""
        for number in ("0", "7", "0007", "4294967295", "1" * 20):
            message = ('{"id":"%s"}' % number).encode()
            self.assertEqual(decode(message)["id"], number)
        for number in ("0", "7", "4294967295", "18446744073709551615"):
            message = ('{"id":%s}' % number).encode()
            self.assertEqual(decode(message)["id"], number)

    def test_no_messages(self):
        """None of these has an id to answer to."""
        for message in NO_MESSAGES:
            with self.subTest(message[:40]):
                with self.assertRaises(ValueError):
                    decode(message)

    def test_hostile(self):
        """Whatever is done to a message, it is a ValueError or has a decimal id."""
        counts = [0, 0]
        for message in mutations(fakes.Dice(11), GOOD, 4000):
            try:
                number = decode(message)["id"]
                self.assertTrue(type(number) is str and number.isdigit(), message)
                counts[0] += 1
            except ValueError:
                counts[1] += 1
        self.assertTrue(min(counts) > 200, counts)


class Answer(unittest.TestCase):
    def setUp(self):
        self.log = []
        self.answers = Answers(lambda *line: self.log.append(line))
        self.given = []

    def handler(self, params):
        self.given.append(params)
        return {"n": len(self.given)}

    def answer(self, message, handler=None):
        if type(message) is not bytes:
            message = json.dumps(message).encode()
        members = decode(message)
        found = self.answers.answer(message, members, handler or self.handler)
        return json.loads(found)

    def test_good(self):
        """The handler's data, under the request's id, as text."""
        expected = {"id": "7", "code": 200, "data": {"n": 1}}
        self.assertEqual(self.answer(GOOD), expected)
        self.assertEqual(self.given, [{"a": 1}])
        self.assertEqual(self.answer({"id": 8, "params": {}})["id"], "8")

    def test_delivered_again(self):
        """Answered the same, and not handled again, while others come in between."""
        first = self.answer(GOOD)
        for number in range(3):
            self.answer({"id": str(number), "params": {}})
            self.assertEqual(self.answer(GOOD), first)
        self.assertEqual(len(self.given), 4)

    def test_few_are_remembered(self):
        """A board's memory is not the cloud's."""
        self.answer(GOOD)
        for number in range(100):
            self.answer({"id": str(number), "params": {}})
        self.assertTrue(len(self.answers._given) <= 4)
        self.assertEqual(self.answer(GOOD)["data"], {"n": 102})

    def test_another_of_the_same_id(self):
        """Other content, or another handler, is another request, for all its id."""
        self.answer(GOOD)
        self.answer(GOOD.replace(b"1}", b"2}"))
        self.assertEqual(self.given, [{"a": 1}, {"a": 2}])
        other = []
        self.answer(GOOD, lambda params: other.append(params) or {})
        self.assertEqual(other, [{"a": 1}])

    def test_errors(self):
        """400 for what is no request, 460 for its params; the handler is not called."""
        good = {"id": "7", "version": "1.0", "method": "m", "params": {}}
        for code, name, values in (
            (400, "version", (1, 1.0, None, [], {})),
            (400, "method", (1, None, [], {}, True)),
            (460, "params", (None, 1, "", "{}", [], [{}], True)),
        ):
            for value in values:
                message = dict(good)
                message[name] = value
                expected = {"id": "7", "code": code, "data": {}}
                self.assertEqual(self.answer(message), expected)
        self.assertEqual(self.answer({"id": "7"})["code"], 460)
        self.assertEqual(self.given, [])

    def test_handler_refuses(self):
        """460, told in the log, and judged anew when it comes again."""

        def refusing(params):
            self.given.append(params)
            raise PointError(FIELD, "time is not a number")

        for count in (1, 2):
            expected = {"id": "7", "code": 460, "data": {}}
            self.assertEqual(self.answer(GOOD, refusing), expected)
            self.assertEqual(len(self.given), count)
        event, error = self.log[-1]
        self.assertEqual((event, error.detail), ("refused", "time is not a number"))

    def test_handler_fails(self):
        """500, and its text, which may hold anything, is told to nobody."""

        def failing(params):
            raise KeyError("s3cret")

        found = self.answer(GOOD, failing)
        self.assertEqual(found, {"id": "7", "code": 500, "data": {}})
        self.assertEqual(self.log, [("failed", "KeyError")])

    def test_codes(self):
        """The cloud's."""
        found = alinkjson.OK, alinkjson.REQUEST_ERROR, alinkjson.TOO_MANY
        found += alinkjson.PARAMETER_ERROR, alinkjson.SERVICE_ERROR
        self.assertEqual(found, (200, 400, 429, 460, 500))

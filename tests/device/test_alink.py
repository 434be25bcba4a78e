"""point.aliyun.alink: requests until they are answered, and answers to requests."""

import json

import fakes
from alinks import DAY_MS, DEVICE, NO_MESSAGES, SYS, Case, mutations

from point.aliyun import alink as module
from point.aliyun.alink import Alink
from point.aliyun.alink_json import decode
from point.errors import FIELD, FLASH, PointError

NAME = "thing/a/b"
REPLY = NAME + "_reply"


class Replies(list):
    """A `then` that writes down what it is told."""

    def __call__(self, code, data):
        self.append((code, data))


class Ask(Case):
    def setUp(self):
        Case.setUp(self)
        self.replies = Replies()

    def ask(self, every_s=0, times=1, params=None):
        return self.alink.ask(
            "thing.a.b", params or {"x": 1}, self.replies, every_s * 1000, times
        )

    def test_message(self):
        """On its topic, under a decimal id, once its reply's topic is subscribed to."""
        self.session.connect()
        self.ask()
        self.alink.step()
        self.assertEqual(self.session.topics, [SYS + REPLY])
        ((topic, found),) = self.sent()
        self.assertEqual(topic, NAME)
        self.assertTrue(found.pop("id").isdigit())
        expected = {"version": "1.0", "method": "thing.a.b", "params": {"x": 1}}
        self.assertEqual(found, expected)

    def test_only_steps_speak(self):
        """Asking and receiving touch no network: a publish may be waiting there."""
        self.session.connect()
        self.alink.serve("thing/c", lambda params: {})
        self.ask()
        self.give("thing/c", {"id": "7", "params": {}})
        self.assertEqual((self.session.topics, self.session.published), ([], []))
        self.alink.step()
        self.assertEqual(len(self.session.published), 2)

    def test_reply(self):
        """It is told once, and nothing is sent any more."""
        self.connect()
        self.ask(10, 3)
        self.alink.step()
        (members,) = self.sent(NAME)
        for _ in range(3):
            self.reply(NAME, members, 200, {"y": [1]})
        self.wait(100)
        self.assertEqual(self.replies, [(200, {"y": [1]})])
        self.assertEqual(self.sent(), [])
        self.assertEqual(self.log, [("replied", REPLY + " 200")])

    def test_reply_with_a_number_for_an_id(self):
        """Some of the cloud's services send numbers."""
        self.connect()
        self.ask()
        self.alink.step()
        number = int(self.sent(NAME)[0]["id"])
        self.give(REPLY, {"id": number, "code": 200})
        self.alink.step()
        self.assertEqual(self.replies, [(200, None)])

    def test_retries(self):
        """As often as was asked for, under the same id; then nobody has replied."""
        self.connect()
        self.ask(10, 3)
        self.wait(9.5)
        first = self.sent(NAME)
        self.assertEqual(len(first), 1)
        self.wait(10)
        self.assertEqual(self.sent(NAME), first)
        self.wait(10)
        self.assertEqual(self.sent(NAME), first)
        self.assertEqual(self.replies, [])
        self.wait(100)
        self.assertEqual(self.replies, [(None, None)])
        self.assertEqual(self.sent(), [])
        self.reply(NAME, first[0])
        self.assertEqual(len(self.replies), 1)

    def test_for_ever(self):
        """-1 goes on until there is a reply."""
        self.connect()
        self.ask(10, -1)
        self.alink.step()
        found = []
        for _ in range(2000):
            found = self.sent(NAME)
            self.assertEqual(len(found), 1)
            self.wait(10, 5000)
        self.sent()
        self.reply(NAME, found[0])
        self.wait(1000)
        self.assertEqual(self.sent(NAME), [])
        self.assertEqual(self.replies, [(200, {})])

    def test_later(self):
        """Too many requests, or no service now: no reply while tries are left."""
        for code in (429, 500, 503, 520, 599):
            self.connect()
            self.replies.clear()
            self.ask(10, 2)
            self.alink.step()
            (members,) = self.sent(NAME)
            self.reply(NAME, members, code)
            self.assertEqual(self.replies, [])
            self.wait(10)
            self.assertEqual(self.sent(NAME), [members])
            self.reply(NAME, members, code)
            self.assertEqual(self.replies, [(code, {})])

    def test_refused(self):
        """Any other code is a reply, however many tries are left."""
        for code in (0, 200, 400, 403, 460, 600, 5005, 6100, 100000, -1):
            self.replies.clear()
            self.connect()
            self.ask(10, -1)
            self.alink.step()
            self.reply(NAME, self.sent(NAME)[0], code)
            self.assertEqual(self.replies, [(code, {})])

    def test_old_ids(self):
        """A reply to what was asked before says nothing about what is asked now."""
        self.connect()
        self.ask()
        self.alink.step()
        (old,) = self.sent(NAME)
        self.ask()
        self.alink.step()
        (new,) = self.sent(NAME)
        self.assertNotEqual(old["id"], new["id"])
        self.reply(NAME, old)
        self.assertEqual(self.replies, [])
        self.reply(NAME, new)
        self.assertEqual(self.replies, [(200, {})])

    def test_ids_of_the_last_boot(self):
        """A broker that kept a reply over a reboot does not fool the board."""
        found = set()
        for _ in range(50):
            self.boot()
            self.connect()
            self.ask()
            self.alink.step()
            found.add(self.sent(NAME)[0]["id"])
        self.assertTrue(len(found) > 48, found)

    def test_one_place(self):
        """What is asked under the same method takes the place of what was."""
        self.connect()
        self.ask(10, -1, {"x": 1})
        self.wait(5)
        self.ask(10, -1, {"x": 2})
        self.wait(30)
        found = [members["params"]["x"] for members in self.sent(NAME)]
        self.assertEqual(found, [1, 2, 2, 2, 2][: len(found)])
        self.assertTrue(len(found) >= 4)
        self.assertEqual(len(self.session.topics), 1)

    def test_asked_offline(self):
        """It waits for the connection, and no try is lost."""
        self.ask(10, 2)
        self.wait(1000)
        self.connect()
        self.assertEqual(len(self.sent(NAME)), 1)
        self.wait(15)
        self.assertEqual(len(self.sent(NAME)), 1)

    def test_broker_lost(self):
        """A publish that fails is no try; the next connection sends at once."""
        self.connect()
        self.ask(10, 2)
        self.session.lost = self.session.cut
        self.wait(60)
        self.assertEqual(self.sent(), [])
        self.connect()
        self.assertEqual(len(self.sent(NAME)), 1)
        self.session.cut()
        self.wait(2)
        self.connect()
        self.assertEqual(len(self.sent(NAME)), 1)
        self.assertEqual(self.replies, [])

    def test_once_for_each_connection(self):
        """Without a period: the reply may have been lost with the connection."""
        self.ask()
        for _ in range(3):
            self.connect()
            self.wait(100)
            self.assertEqual(len(self.sent(NAME)), 1)
            self.session.cut()
        self.assertEqual(self.replies, [])

    def test_ticks_come_round(self):
        """A board that is offline for weeks sends at once when it is back."""
        for days in (5, 6, 7, 11, 13, 20):
            self.ask(10, 3)
            self.connect()
            self.assertEqual(len(self.sent(NAME)), 1)
            self.session.cut()
            self.wait(days * 86400, DAY_MS // 7)
            self.connect()
            self.assertEqual(len(self.sent(NAME)), 1, days)
            self.session.cut()

    def test_then_fails(self):
        """What it raises kills nothing, tells no text, and is asked for again."""

        errors = []

        def failing(code, data):
            self.replies(code, data)
            raise errors[-1]

        self.connect()
        for error, told in (
            (KeyError("s3cret"), "KeyError"),
            (PointError(FLASH, "errno 28"), "E40 FLASH: errno 28"),
        ):
            errors.append(error)
            self.replies.clear()
            self.alink.ask("thing.a.b", {}, failing, 10000, 2)
            self.alink.step()
            (members,) = self.sent(NAME)
            self.reply(NAME, members)
            self.assertEqual(self.log[-1], ("failed", told))
            self.wait(10)
            self.assertEqual(self.sent(NAME), [members])
            self.reply(NAME, members)
            self.wait(100)
            self.assertEqual(self.sent(NAME), [])
            self.assertEqual(len(self.replies), 2)

    def test_then_asks(self):
        """What it asks is another request, and stays."""
        self.connect()

        def asking(code, data):
            self.ask()

        self.alink.ask("thing.a.b", {}, asking, 10000, 5)
        self.alink.step()
        self.reply(NAME, self.sent(NAME)[0])
        (members,) = self.sent(NAME)
        self.assertEqual(members["params"], {"x": 1})
        self.reply(NAME, members)
        self.assertEqual(self.replies, [(200, {})])

    def test_nobody_is_told(self):
        """A reply that nobody waits for, and none, are both fine."""
        self.connect()
        self.alink.ask("thing.a.b", {}, None, 1000, 1)
        self.alink.step()
        self.reply(NAME, self.sent(NAME)[0])
        self.alink.ask("thing.a.b", {}, None, 1000, 1)
        self.wait(5)
        self.assertEqual([line for line in self.log if line[0] == "failed"], [])

    def test_malformed_replies(self):
        """No code, or one that is no number: the request goes on."""
        self.connect()
        self.ask(10, 3)
        self.alink.step()
        number = self.sent(NAME)[0]["id"]
        for message in NO_MESSAGES:
            self.give(REPLY, message)
        for code in (None, "200", 200.0, True, [200], {}):
            self.give(REPLY, {"id": number, "code": code, "data": {}})
            self.alink.step()
        self.give(REPLY, {"id": number})
        self.alink.step()
        self.assertEqual(self.replies, [])
        self.assertEqual(self.log[-1], ("malformed", REPLY))
        self.give(REPLY, {"id": number, "code": 200})
        self.alink.step()
        self.assertEqual(self.replies, [(200, None)])

    def test_hostile(self):
        """Whatever comes as a reply: nothing raises, and none counts but ours."""
        self.connect()
        right = 0
        for seed in range(20):
            self.replies.clear()
            self.ask(10, -1)
            self.alink.step()
            number = self.sent(NAME)[0]["id"]
            good = json.dumps({"id": number, "code": 200, "data": {"a": "b"}})
            for message in mutations(fakes.Dice(seed + 1), good.encode(), 100):
                self.give(REPLY, message)
                self.alink.step()
                if self.replies:
                    members = json.loads(message)
                    self.assertEqual(str(members["id"]), number)
                    self.assertEqual([members["code"]], [self.replies[0][0]])
                    right += 1
                    break
        self.assertTrue(right > 5, right)


class Serve(Case):
    def setUp(self):
        Case.setUp(self)
        self.given = []
        self.alink.serve(NAME, self.handler)
        self.connect()

    def handler(self, params):
        if "bad" in params:
            raise PointError(FIELD, "bad")
        self.given.append(params)
        return {"n": len(self.given)}

    def test_answer(self):
        """On the reply's topic, under the same id."""
        self.assertEqual(self.session.topics, [SYS + NAME])
        found = self.request(NAME, {"x": 1})
        self.assertEqual(found, [{"id": "7", "code": 200, "data": {"n": 1}}])

    def test_again(self):
        """A second delivery gets the first one's answer, and is not delivered."""
        first = self.request(NAME, {"x": 1})
        self.assertEqual(self.request(NAME, {"x": 1}), first)
        self.assertEqual(self.given, [{"x": 1}])

    def test_again_after_a_lost_connection(self):
        """The answer that was lost with the connection is given in the next one."""
        self.session.lost = self.session.cut
        self.assertEqual(self.request(NAME, {"x": 1}), [])
        self.connect()
        found = self.request(NAME, {"x": 1})
        self.assertEqual(found, [{"id": "7", "code": 200, "data": {"n": 1}}])
        self.assertEqual(len(self.given), 1)

    def test_malformed(self):
        """Answered with an error if there is an id to answer to, else not at all."""
        for message in NO_MESSAGES:
            self.assertEqual(self.answers(NAME, message), [])
            self.assertEqual(self.log[-1], ("malformed", NAME))
        self.assertEqual(self.request(NAME, {"bad": 1})[0]["code"], 460)
        self.assertEqual(self.request(NAME, [])[0]["code"], 460)
        (found,) = self.answers(NAME, {"id": 9, "version": 1, "params": {}})
        self.assertEqual((found["id"], found["code"]), ("9", 400))
        self.assertEqual(self.given, [])

    def test_hostile(self):
        """Each message has one answer at most; if that is an error nothing changes."""
        good = b'{"id":"7","version":"1.0","method":"thing.a.b","params":{"x":"1"}}'
        codes = {}
        for message in mutations(fakes.Dice(5), good, 1500):
            before = len(self.given)
            found = self.answers(NAME, message)
            code = found[0]["code"] if found else None
            self.assertTrue(len(found) <= 1 and code in (None, 200, 400, 460), message)
            if code != 200:
                self.assertEqual(len(self.given), before)
            codes[code] = codes.get(code, 0) + 1
        self.assertEqual(sorted(codes, key=str), [200, 460, None])


class Received(Case):
    def test_whose(self):
        """Ours are the topics that were asked or served, of this device."""
        self.alink.serve("thing/c", lambda params: {})
        self.alink.ask("thing.a.b", {})
        for name in ("thing/c", REPLY):
            self.assertTrue(self.give(name, b"{}"))
        for topic in (
            b"",
            b"a1B2c3D4e5F/board-0001/down",
            (SYS + "thing/d").encode(),
            (SYS + NAME).encode(),
            (SYS + "thing/c_reply").encode(),
            (SYS + "thing/c/").encode(),
            ("x" + SYS + "thing/c").encode(),
            SYS.replace("0001", "0002").encode() + b"thing/c",
            SYS.encode() + b"\xff\xfe",
            b"\xff" * 70,
        ):
            self.assertIs(self.alink.received(topic, b"{}"), False, topic)

    def test_in_order(self):
        """What comes first is answered first."""
        self.connect()
        self.alink.serve("thing/c", lambda params: {})
        for number in range(8):
            self.give("thing/c", {"id": number, "params": {}})
        self.alink.step()
        found = [members["id"] for members in self.sent("thing/c_reply")]
        self.assertEqual(found, [str(number) for number in range(8)])

    def test_no_memory(self):
        """A message for which there is no memory is lost, and nothing else."""
        self.connect()
        found = []

        def hungry(message):
            if not found:
                found.append(message)
                raise MemoryError
            return decode(message)

        self.alink.serve("thing/c", lambda params: {})
        self.patch.set(module, "decode", hungry)
        for number in range(2):
            self.give("thing/c", {"id": number, "params": {}})
        self.alink.step()
        self.assertEqual(self.log, [("failed", "MemoryError")])
        self.assertEqual([each["id"] for each in self.sent("thing/c_reply")], ["1"])

    def test_too_many(self):
        """What does not fit until the next step is dropped, and told."""
        self.connect()
        given = []
        self.alink.serve("thing/c", lambda params: given.append(1) or {})
        for number in range(50):
            self.assertTrue(self.give("thing/c", {"id": number, "params": {}}))
        dropped = self.log.count(("dropped", "thing/c"))
        self.alink.step()
        self.assertEqual(len(given) + dropped, 50)
        self.assertEqual(len(given), 8)
        self.give("thing/c", {"id": 99, "params": {}})
        self.alink.step()
        self.assertEqual(len(given), 9)

    def test_too_large(self):
        """One message, or several together."""
        self.connect()
        given = []
        self.alink.serve("thing/c", lambda params: given.append(1) or {})
        for size, fits in ((16000, True), (300, True), (85, False), (84, True)):
            message = json.dumps({"id": size, "params": {"a": ""}})
            message = message.replace('""', '"%s"' % ("x" * (size - len(message))))
            self.assertEqual(len(message), size)
            before = len(self.log)
            self.give("thing/c", message.encode())
            self.assertEqual(len(self.log) == before, fits, size)
        self.alink.step()
        self.assertEqual(len(given), 3)
        self.give("thing/c", b'{"id":"7","params":{"a":"' + b"x" * 16384 + b'"}}')
        self.alink.step()
        self.assertEqual(len(given), 3)

    def test_while_a_publish_waits(self):
        """A request that comes in the middle of a publish is answered in this step or
        the next one, once."""
        self.connect()
        self.alink.serve("thing/c", lambda params: {})
        self.alink.ask("thing.a.b", {})

        def arriving():
            self.give("thing/c", {"id": "7", "params": {}})
            self.assertEqual(self.session.published, [])
            return True

        self.session.lost = arriving
        self.alink.step()
        self.alink.step()
        self.assertEqual([topic for topic, _ in self.sent()], ["thing/c_reply"])


class Step(Case):
    def test_steps(self):
        """They are told of each connection once, and may fail."""
        told = []

        def failing(connected):
            raise KeyError("s3cret")

        self.alink.steps += [failing, told.append]
        self.alink.step()
        for _ in range(2):
            self.session.connect()
            self.alink.step()
            self.alink.step()
        self.assertEqual(told, [False, True, False, True, False])
        self.assertEqual(set(self.log), {("failed", "KeyError")})

    def test_call(self):
        """Whether it worked; nothing to call has worked."""
        found = []
        self.assertTrue(self.alink.call(lambda a, b: found.append((a, b)), 1, 2))
        self.assertEqual(found, [(1, 2)])
        self.assertTrue(self.alink.call(None, 1, 2))
        self.assertFalse(self.alink.call(lambda: None, 1))
        self.assertEqual(self.log[-1], ("failed", "TypeError"))

    def test_no_log(self):
        """Without somebody to tell, it works all the same."""
        alink = Alink(self.session, DEVICE, self.dice)
        alink.serve("thing/c", lambda params: {})
        self.session.connect()
        alink.received((SYS + "thing/c").encode(), b"{")
        alink.step()
        self.assertEqual(self.session.published, [])

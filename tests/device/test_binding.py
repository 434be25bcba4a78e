"""point.aliyun.binding: tokens, the time window, resets, the cloud's notifications."""

import json
import sys

import fakes
from alinks import DAY_MS, Case, mutations

from point.access import PointAccess
from point.aliyun.binding import Binding
from point.errors import FLASH, PointError

MATCH = "thing/awss/enrollee/match"
RESET = "thing/reset"
NOTIFY = "_thing/event/notify"


def notification(operation="Bind", member="Operation"):
    """The cloud's params."""
    return {"identifier": "awss.BindNotify", "value": {member: operation}}


class Bound(Case):
    """A binding over a board's flash, which outlives boot()."""

    def setUp(self):
        self.folder = fakes.Folder()
        self.events = []
        Case.setUp(self)

    def tearDown(self):
        self.folder.remove()
        Case.tearDown(self)

    def boot(self, **more):
        Case.boot(self)
        board = fakes.Board(self.folder.path)
        board.random = self.dice
        self.access = PointAccess(board)
        on_event = more.pop("on_event", self.events.append)
        self.binding = Binding(self.alink, self.access, on_event, **more)

    def tokens(self):
        """The tokens that were reported since the last look."""
        return [members["params"]["token"] for members in self.sent(MATCH)]

    def names(self):
        """The topics that were published on since the last look."""
        return [name for name, _ in self.sent()]

    def last(self, name):
        """What was published last on a topic since the last look."""
        return self.sent(name)[-1]


class Token(Bound):
    def test_shape(self):
        """16 random bytes as upper-case hex, reported when there is a connection."""
        self.wait(200)
        self.assertIsNone(self.binding.token)
        self.assertEqual(self.log, [])
        self.connect()
        ((topic, found),) = self.sent()
        self.assertEqual((topic, found["method"]), (MATCH, "thing.awss.enrollee.match"))
        token = found["params"].pop("token")
        self.assertEqual((found["params"], found["version"]), ({}, "1.0"))
        self.assertEqual(token, self.binding.token)
        self.assertEqual((len(token), token.strip("0123456789ABCDEF")), (32, ""))

    def test_random(self):
        """All of it is the board's random numbers."""
        asked = []

        def random(count):
            asked.append(count)
            return bytes(range(0xF0, 0xF0 + count))

        self.dice = random
        self.boot()
        del asked[:]  # the ids of messages are random too
        self.connect()
        self.assertEqual(asked, [16])
        self.assertEqual(self.binding.token, "F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF")

    def test_retries(self):
        """Every 10 s while nobody replies, a new token after 90 s, 11 times in all."""
        self.connect()
        times = []
        tokens = []
        for second in range(2000):
            found = self.tokens()
            tokens += found
            times += [second] * len(found)
            self.wait(1)
        self.assertEqual(len(tokens), 11)
        self.assertEqual(len(set(tokens)), 2)
        self.assertEqual(tokens, sorted(tokens, key=tokens.index))
        self.assertEqual(times[0], 0)
        gaps = [times[place] - times[place - 1] for place in range(1, 11)]
        self.assertTrue(min(gaps) >= 9 and max(gaps) <= 11, gaps)
        self.assertEqual(tokens.count(tokens[0]), 9)
        self.assertIsNone(self.binding.token)

    def test_reported(self):
        """A reply ends the reports of this token; after its life there is another."""
        self.connect()
        members = self.last(MATCH)
        first = self.binding.token
        self.reply(MATCH, members)
        self.wait(89)
        self.assertEqual(self.tokens(), [])
        self.assertEqual(self.binding.token, first)
        self.wait(2)
        (second,) = self.tokens()
        self.assertNotEqual(second, first)
        self.assertEqual(second, self.binding.token)

    def test_every_report_replied_to(self):
        """11 tokens for a connection, then silence; the next connection begins anew."""
        for _ in range(2):
            self.connect()
            tokens = []
            for _ in range(3000):
                for members in self.sent(MATCH):
                    tokens.append(members["params"]["token"])
                    self.reply(MATCH, members)
                self.wait(1)
            self.assertEqual((len(tokens), len(set(tokens))), (11, 11))
            self.session.cut()

    def test_refused(self):
        """The SDK does not look at the code either; a later one is no reply."""
        self.connect()
        self.reply(MATCH, self.last(MATCH), 500)
        self.wait(11)
        self.reply(MATCH, self.last(MATCH), 460)
        self.wait(75)
        self.assertEqual(self.tokens(), [])

    def test_reply_to_an_old_token(self):
        """It says nothing about the token of now, which goes on being reported."""
        self.connect()
        old = self.last(MATCH)
        self.wait(91)
        new = self.last(MATCH)
        self.assertNotEqual(old["params"], new["params"])
        self.reply(MATCH, old)
        self.wait(10.5)
        self.assertEqual(self.tokens(), [new["params"]["token"]])

    def test_expires_while_offline(self):
        """What is reported after a reconnection is a new one, with its whole life."""
        for seconds in (1, 60, 90, 1000, 7 * 86400, 13 * 86400):
            self.connect()
            (first,) = self.tokens()
            self.session.cut()
            self.wait(seconds, max(500, seconds * 10))
            self.connect()
            (second,) = self.tokens()
            self.assertNotEqual(first, second)
            self.assertEqual(second, self.binding.token)
            self.wait(85)
            self.assertEqual(second, self.binding.token)
            self.session.cut()
            self.session.published.clear()

    def test_lost_while_reporting(self):
        """A report that fails is none, and is made up for after the reconnection."""
        self.session.connect()
        self.session.lost = self.session.cut
        self.alink.step()
        self.wait(5)
        self.assertEqual(self.tokens(), [])
        self.connect()
        self.assertEqual(self.tokens(), [self.binding.token])


class Window(Bound):
    def test_opens_with_the_connection(self):
        """600 s from there, and again with each connection."""
        self.wait(50)
        self.assertEqual(self.binding.remaining_s(), 0)
        for _ in range(2):
            self.connect()
            self.assertEqual(self.binding.remaining_s(), 600)
            self.wait(599.5)
            self.assertEqual(self.binding.remaining_s(), 1)
            self.wait(0.5)
            self.assertEqual(self.binding.remaining_s(), 0)

    def test_counts_on_while_offline(self):
        """The cloud counts from the moment in which the board came online."""
        self.connect()
        self.wait(100)
        self.session.cut()
        self.wait(100)
        self.assertEqual(self.binding.remaining_s(), 400)

    def test_stays_closed(self):
        """For years, whatever the ticks say."""
        self.connect()
        for _ in range(800):
            self.wait(DAY_MS // 2000, DAY_MS // 2)
            self.assertEqual(self.binding.remaining_s(), 0)

    def test_stays_closed_though_nobody_looks(self):
        """As long as the session is stepped."""
        for days in (5, 7, 9, 11):
            self.connect()
            self.wait(days * 86400, DAY_MS // 8)
            self.assertEqual(self.binding.remaining_s(), 0)

    def test_length(self):
        """Any up to a day; others make no sense."""
        for seconds in (0, 1, 1800, 86400):
            self.boot(window_s=seconds)
            self.connect()
            self.assertEqual(self.binding.remaining_s(), seconds)
        for seconds in (-1, 86401, 1 << 31, 1.5, "600", None, True):
            with self.assertRaises(PointError) as raised:
                self.boot(window_s=seconds)
            self.assertEqual(raised.exception.name, "OPTION")


class Reset(Bound):
    def test_told(self):
        """Asked for, replied to, and only then tokens again, a new one."""
        self.connect()
        (old,) = self.tokens()
        self.binding.reset()
        self.assertTrue(self.binding.resetting)
        self.assertIsNone(self.binding.token)
        self.alink.step()
        ((topic, members),) = self.sent()
        self.assertEqual((topic, members["method"]), (RESET, "thing.reset"))
        self.assertEqual((members["params"], members["version"]), ({}, "1.0"))
        self.wait(9)
        self.assertEqual(self.sent(), [])
        self.reply(RESET, members)
        self.assertFalse(self.binding.resetting)
        (new,) = self.tokens()
        self.assertNotEqual(old, new)
        self.boot()
        self.assertFalse(self.binding.resetting)
        self.connect()
        self.assertEqual(self.names(), [MATCH])

    def test_in_flash_first(self):
        """What flash did not take has not begun."""
        self.connect()
        self.sent()
        store = self.access.store
        remember, store.remember = store.remember, failing(PointError(FLASH))
        with self.assertRaises(PointError):
            self.binding.reset()
        self.assertFalse(self.binding.resetting)
        self.wait(30)
        self.assertEqual(set(self.names()), {MATCH})
        store.remember = remember
        self.binding.reset()
        self.wait(1)
        self.assertEqual(self.names(), [RESET])

    def test_until_it_is_told(self):
        """Every 10 s for ever, no token in between; the series after it is full."""
        self.connect()
        self.sent()
        self.binding.reset()
        for _ in range(400):
            self.wait(10)
            self.assertEqual(self.names(), [RESET])
        self.wait(10)
        self.reply(RESET, self.last(RESET))
        tokens = self.tokens()
        for _ in range(40):
            self.wait(10)
            tokens += self.tokens()
        self.assertEqual(len(tokens), 11)

    def test_twice(self):
        """Once it is under way, another changes nothing; afterwards it is another."""
        self.connect()
        self.sent()
        for _ in range(3):
            self.binding.reset()
            self.alink.step()
        members = self.sent()
        self.assertEqual(len(members), 1)
        self.reply(RESET, members[0][1])
        self.sent()
        self.binding.reset()
        self.alink.step()
        self.assertEqual(self.names(), [RESET])

    def test_offline(self):
        """It is the first thing after the connection, also when tokens were waiting."""
        for connected_before in (False, True):
            self.boot()
            if connected_before:
                self.connect()
                self.wait(25)
                self.session.cut()
            self.sent()
            self.binding.reset()
            self.wait(100)
            self.connect()
            self.wait(35)
            found = self.sent()
            self.assertEqual({name for name, _ in found}, {RESET})
            self.reply(RESET, found[-1][1])
            self.assertEqual(self.names(), [MATCH])

    def test_broker_lost_on_the_way(self):
        """Before or after the publish: the next connection sends it again, first."""
        for before in (True, False):
            self.boot()
            self.session.connect()
            self.binding.reset()
            if before:
                self.session.lost = self.session.cut
                self.alink.step()
            else:
                self.alink.step()
                self.session.cut()
                self.session.published.clear()
            self.wait(3)
            self.assertEqual(self.sent(), [])
            self.connect()
            self.assertEqual(self.names(), [RESET])

    def test_power_cut_before_it_is_sent(self):
        """The next boot sends it, and tokens only after its reply."""
        self.connect()
        self.binding.reset()
        for _ in range(3):
            self.boot()
            self.assertTrue(self.binding.resetting)
            self.connect()
            self.wait(25)
            found = self.names()
            self.assertEqual(set(found), {RESET})
        self.wait(10)
        self.reply(RESET, self.last(RESET))
        self.assertEqual(self.names(), [MATCH])

    def test_power_cut_at_every_byte(self):
        """While it is written: it is there or not. While it ends: it is told again."""
        self.binding.reset()
        self.access.claim.keep_reset(False)  # both slots are there
        for resetting in (True, False):
            before = {name: self.folder.read(name) for name in self.folder.names()}
            self.boot()
            if resetting:
                self.binding.reset()
            else:
                self.connect()
                self.reply(RESET, self.last(RESET))
            (name,) = [n for n in before if self.folder.read(n) != before[n]]
            whole = self.folder.read(name)
            for end in range(len(whole)):
                self.folder.write(name, whole[:end])
                self.boot()
                self.assertIs(self.binding.resetting, not resetting, end)
            self.folder.write(name, whole)
            self.boot()
            self.assertIs(self.binding.resetting, resetting)

    def test_flash_fails_at_the_end(self):
        """Tokens wait until flash has taken it: another boot would reset again."""
        self.connect()
        self.sent()
        self.binding.reset()
        self.alink.step()
        members = self.last(RESET)
        store = self.access.store
        remember, store.remember = store.remember, failing(PointError(FLASH, "errno 5"))
        self.reply(RESET, members)
        self.assertTrue(self.binding.resetting)
        self.assertIn(("failed", "E40 FLASH: errno 5"), self.log)
        self.wait(11)
        self.assertEqual(self.names(), [RESET])
        store.remember = remember
        self.reply(RESET, members)
        self.assertFalse(self.binding.resetting)
        self.assertEqual(self.names(), [MATCH])

    def test_needs_no_module(self):
        """A heap in pieces must not stand in its way: all that it needs is there."""
        self.access.confirm()
        before = set(sys.modules)
        self.binding.reset()
        self.assertEqual(set(sys.modules), before)
        self.boot()
        self.assertTrue(self.binding.resetting)

    def test_refused(self):
        """Whoever is told "no" may be bound again; "later" is no reply."""
        self.connect()
        self.binding.reset()
        self.alink.step()
        members = self.last(RESET)
        for code in (429, 500, 520):
            self.reply(RESET, members, code)
            self.assertTrue(self.binding.resetting)
        self.reply(RESET, members, 6100)
        self.assertFalse(self.binding.resetting)

    def test_reply_to_a_reset_of_the_last_boot(self):
        """The broker kept it over the reboot: it is not this one's."""
        self.connect()
        self.binding.reset()
        self.alink.step()
        old = self.last(RESET)
        self.boot()
        self.connect()
        self.reply(RESET, old)
        self.assertTrue(self.binding.resetting)

    def test_beside_a_claim(self):
        """A claim under way keeps its id."""
        found = self.access.claim.request_id()
        self.binding.reset()
        self.boot()
        self.assertTrue(self.binding.resetting)
        self.assertEqual(self.access.claim.request_id(), found)
        self.connect()
        self.reply(RESET, self.last(RESET))
        self.assertEqual(self.access.claim.request_id(), found)


class Notify(Bound):
    def setUp(self):
        Bound.setUp(self)
        self.connect()

    def test_delivered_and_answered(self):
        """In both spellings; the answer says what of."""
        data = {"identifier": "awss.BindNotify", "serviceResult": {}}
        number = 0
        for operation in ("Bind", "Unbind", "Reset"):
            for member in ("Operation", "operation"):
                number += 1
                params = notification(operation, member)
                found = self.request(NOTIFY, params, number)
                expected = {"id": str(number), "code": 200, "data": data}
                self.assertEqual(found, [expected])
                self.assertEqual(self.events.pop(), operation)
                self.assertEqual(self.events, [])

    def test_delivered_again(self):
        """QoS 1: answered the same, and told once."""
        first = self.request(NOTIFY, notification())
        self.assertEqual(self.request(NOTIFY, notification()), first)
        self.assertEqual(self.events, ["Bind"])

    def test_in_order(self):
        """The application is told in the order of what became of it."""
        for number, operation in enumerate(("Bind", "Unbind", "Reset", "Bind")):
            self.give(NOTIFY, {"id": number, "params": notification(operation)})
        self.alink.step()
        self.assertEqual(self.events, ["Bind", "Unbind", "Reset", "Bind"])

    def test_the_answer_comes_first(self):
        """An application that restarts when it is told has answered."""
        seen = []
        self.boot(on_event=lambda event: seen.append(len(self.session.published)))
        self.connect()
        self.request(NOTIFY, notification())
        self.assertEqual(len(seen), 1)
        self.assertTrue(seen[0] > 0)

    def test_delivered_though_the_answer_is_lost(self):
        """It was acknowledged to the broker already."""
        self.session.lost = self.session.cut
        self.assertEqual(self.request(NOTIFY, notification("Unbind")), [])
        self.assertEqual(self.events, ["Unbind"])

    def test_application_fails(self):
        """It kills nothing, the next one is told, and no text of it."""

        def raising(event):
            self.events.append(event)
            raise KeyError("s3cret")

        self.boot(on_event=raising)
        self.connect()
        for number in range(3):
            found = self.request(NOTIFY, notification(), number)
            self.assertEqual(found[0]["code"], 200)
        self.assertEqual(self.events, ["Bind"] * 3)
        self.assertEqual(self.log[-1], ("failed", "KeyError"))
        self.assertNotIn("s3cret", str(self.log))

    def test_application_resets(self):
        """From where it is told."""
        self.boot(on_event=lambda event: self.binding.reset())
        self.connect()
        self.sent()
        self.give(NOTIFY, {"id": "7", "params": notification("Unbind")})
        self.wait(25)
        self.assertEqual(set(self.names()), {NOTIFY + "_reply", RESET})

    def test_malformed(self):
        """460, and nobody is told."""
        good = notification()
        bad = [{}, {"value": good["value"]}, {"identifier": good["identifier"]}]
        for value in (None, 1, "", "Bind", [], ["Bind"], {}, {"OPERATION": "Bind"}):
            bad.append({"identifier": good["identifier"], "value": value})
        for operation in (None, 1, True, "", "bind", "BIND", "Bind ", ["Bind"], {}):
            bad.append(notification(operation))
            bad.append(notification(operation, "operation"))
        for identifier in (None, 1, "", "awss.bindnotify", [], {"a": 1}, "x" * 5000):
            bad.append({"identifier": identifier, "value": good["value"]})
        for params in bad:
            found = self.request(NOTIFY, params)
            self.assertEqual(found, [{"id": "7", "code": 460, "data": {}}])
        self.assertEqual(self.events, [])

    def test_hostile(self):
        """Whatever is done to a notification, only the three words are delivered."""
        message = {"id": "7", "version": "1.0", "params": notification("Unbind")}
        told = {}
        for each in mutations(fakes.Dice(3), json.dumps(message).encode(), 2000):
            found = self.answers(NOTIFY, each)
            code = found[0]["code"] if found else None
            told[code] = told.get(code, 0) + 1
            self.assertTrue(len(self.events) <= (code == 200), each)
            for event in self.events:
                self.assertEqual(event, "Unbind")
            self.events.clear()
        self.assertTrue(told[None] > 500 and told[460] > 50 and told[200] > 5, told)
        self.assertFalse(self.binding.resetting)


class Whole(Bound):
    def test_cipher_key(self):
        """As point.aliyun.cipher_get, under the session."""
        self.connect()
        self.sent()
        found = []
        self.binding.cipher_key(3, "ab" * 16, found.append)
        self.alink.step()
        members = self.last("thing/cipher/get")
        data = {"productKey": "a1B2c3D4e5F", "deviceName": "board-0001"}
        data["secret"] = "00" * 16
        self.reply("thing/cipher/get", members, 200, data)
        self.assertEqual(found, [bytes(16)])


def failing(error):
    """What raises `error`, whatever it is given."""

    def call(*arguments):
        raise error

    return call

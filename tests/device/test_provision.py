"""point.provision: waits feed the watchdog, failures end, boards reboot for ever."""

import unittest

import fakes
import provisioning
from provisioning import DATA, KEY, TRUST, URL, Server, refusal

from point import flow, provision
from point.access import PointAccess
from point.errors import CONNECT, FLASH, OFFLINE, READ_BACK, TLS_CA, PointError
from point.store import Store


class Case(unittest.TestCase):
    """A board over one folder of flash, whose sleeps only move the clock."""

    def setUp(self):
        self.folder = fakes.Folder()
        self.server = Server()
        self.patch = fakes.Patch()
        fakes.hold(self.patch)
        self.patch.set(provision, "sleep_ms", self.sleep_ms)
        self.now = 0  # ms
        self.longest = 0
        self.feeds = self.fed = self.hungry = 0

    def tearDown(self):
        self.patch.undo()
        self.folder.remove()

    def sleep_ms(self, ms):
        self.longest = max(self.longest, ms)
        self.now += ms

    def feed(self):
        self.hungry = max(self.hungry, self.now - self.fed)
        self.fed = self.now
        self.feeds += 1

    def boot(self, random=None, replies=None, key=KEY, **more):
        """What main.py makes at each start."""
        self.board = fakes.Board(self.folder.path, replies or [self.server])
        self.board.feed = self.feed
        self.board.random = random or self.board.random
        store = Store(self.folder.path)
        return PointAccess(self.board, claim_key=key, trust=TRUST, store=store, **more)

    def slots(self):
        return [name for name in self.folder.names() if name[:11] == "credentials"]


ids = fakes.Dice()


def always(byte):
    """Random bytes that are none, but ids that differ."""
    return lambda count: ids(count) if count == 16 else bytes([byte]) * count


class Waits(Case):
    def test_spread(self):
        """The first request comes within spread_s, at random."""
        for chance, expected in ((0, 0), (64, 15058), (128, 30117), (255, 59999)):
            self.now = 0
            access = self.boot(always(chance))
            access.spread_s = 60
            self.assertEqual(access.ensure(URL, DATA), "00000")
            self.assertEqual(self.now, expected, chance)
            access.forget()

    def test_no_spread(self):
        """Without one nothing is waited for, and flash is not waited for at all."""
        access = self.boot(always(255))
        access.ensure(URL, DATA)
        self.assertEqual(self.now, 0)
        access = self.boot(always(255))
        access.spread_s = 3600
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual((self.now, access.source), (0, "flash"))

    def test_backoff_grows(self):
        """Twice as long each time, up to forty minutes."""
        access = self.boot(always(255), [PointError(CONNECT)] * 20)
        times = []
        self.board.online = lambda timeout_s: times.append(self.now)
        self.assertEqual(access.ensure(URL, DATA, attempts=14), "77777")
        waits = [b - a for a, b in zip(times, times[1:])]  # noqa: B905
        expected = [min(2000 << n, 2400000) * 65535 >> 16 for n in range(13)]
        self.assertEqual(waits, expected)

    def test_backoff_goes_on(self):
        """The next ensure() of the same boot begins where the last one ended."""
        access = self.boot(always(255), [PointError(CONNECT)] * 20)
        times = []
        self.board.online = lambda timeout_s: times.append(self.now)
        for _ in range(3):
            access.ensure(URL, DATA, attempts=2)
        waits = [b - a for a, b in zip(times, times[1:])]  # noqa: B905
        expected = [2000 << n for n in (0, 2, 2, 4, 4)]
        self.assertEqual(waits, [most * 65535 >> 16 for most in expected])

    def test_success_ends_it(self):
        """After a connection that worked failures count from the beginning."""
        access = self.boot(always(0))
        self.server.script = [provisioning.lost] * 8
        self.assertEqual(access.ensure(URL, DATA, attempts=9), "00000")
        self.assertGreater(access.claim.attempts, 8)
        access.confirm()
        self.assertEqual(access.claim.attempts, 0)
        self.assertEqual(self.boot().claim.attempts, 0)

    def test_retry_after(self):
        """A server's wish is waited for in full, and the back-off with it."""
        for seconds, least in ((30, 30000), (10**9, 3600000)):
            self.now = 0
            self.server.script = [refusal("42901", retry_after=seconds)]
            access = self.boot(always(0))
            self.assertEqual(access.ensure(URL, DATA), "00000")
            self.assertEqual(self.now, least)
            self.server.script = [refusal("42901", retry_after=seconds)]
            access.forget()
            self.now = 0
            access = self.boot(always(255))
            access.ensure(URL, DATA)
            self.assertTrue(2 * least - 1000 < self.now < 2 * least, self.now)
            access.forget()

    def test_retry_after_is_for_once(self):
        """What a server asked for counts for its own refusal, not for later faults."""
        self.server.script = [refusal("42901", retry_after=3600), provisioning.lost]
        access = self.boot(always(0))
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(self.now, 3600000)
        access.forget()
        self.now = 0
        self.server.script = [refusal("42901", retry_after=3600)]
        access = self.boot(always(0))
        offline = [None, PointError(OFFLINE), PointError(OFFLINE), None]

        def online(timeout_s):
            found = offline.pop(0)
            if found:
                raise found

        self.board.online = online
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(self.now, 3600000)

    def test_retry_after_of_the_last_attempt(self):
        """The next ensure() of the same boot honours it."""
        self.server.script = [refusal("42901", retry_after=3600)]
        access = self.boot(always(0))
        self.assertEqual(access.ensure(URL, DATA, 1), "42901")
        self.assertEqual((self.now, access.retry_after_s), (0, 3600))
        self.assertEqual(access.ensure(URL, DATA, 1), "00000")
        self.assertEqual(self.now, 3600000)

    def test_fed_each_second(self):
        """The watchdog is fed at least every second of every wait."""
        access = self.boot(always(255), [PointError(CONNECT)] * 20)
        access.spread_s = 90
        access.ensure(URL, DATA, attempts=9)
        self.assertGreater(self.now, 500000)
        self.assertLessEqual(self.hungry, 1000)
        self.assertLessEqual(self.now - self.fed, 1000)
        self.assertLessEqual(self.longest, 1000)

    def test_fed_between_steps(self):
        """Each step may be long: it begins with a fed watchdog."""
        access = self.boot()
        seen = []
        self.board.online = lambda timeout_s: seen.append(self.feeds)
        connect = self.board.connect

        def connecting(*where):
            seen.append(self.feeds)
            return connect(*where)

        self.board.connect = connecting
        access.ensure(URL, DATA)
        self.assertEqual(len(seen), 2)
        self.assertTrue(0 < seen[0] < seen[1] < self.feeds)

    def test_without_a_board(self):
        """There is no watchdog then, but the same waits."""
        access = PointAccess(store=Memory(), post=failing_post)
        access.random = always(255)
        access.ensure(URL, DATA, attempts=3)
        self.assertEqual(self.now, 1999 + 3999)
        self.assertEqual(self.feeds, 0)


class Memory:
    """A store in memory."""

    confirmed = False

    def __init__(self):
        self.kept = {}

    def load(self):
        return None

    def pending(self):
        return dict(self.kept)

    def remember(self, pending):
        self.kept = dict(pending)


def failing_post(url, json=None, headers=None):
    raise OSError(111)


class Reboots(Case):
    """Each boot is a new PointAccess over the same flash."""

    def test_attempts_are_remembered(self):
        """A board that dies with each request still learns to come rarely."""
        dice = fakes.Dice(3)
        for _ in range(40):
            access = self.boot(dice, [PointError(CONNECT)])
            access.spread_s = 60
            access.ensure(URL, DATA, attempts=1)
        waits = []
        for _ in range(40):
            self.now = 0
            access = self.boot(dice, [PointError(CONNECT)])
            access.spread_s = 60
            access.ensure(URL, DATA, attempts=1)
            waits.append(self.now)
        self.assertGreater(sum(waits) / 40, 600000)  # half of forty minutes is the mean
        self.assertLess(max(waits), 2400000)

    def test_a_reboot_is_no_attempt(self):
        """Who boots without asking has not counted, nor written anything."""
        for _ in range(50):
            access = self.boot(always(0))
            self.assertFalse(access.load())
        self.assertEqual(self.folder.names(), [])

    def test_settled(self):
        """After a connection that worked the next trouble begins anew."""
        for _ in range(30):
            access = self.boot(fakes.Dice(), [PointError(CONNECT)] * 2)
            access.ensure(URL, DATA, 2)
        access = self.boot(fakes.Dice())
        self.assertEqual(access.ensure(URL, DATA), "00000")
        access.confirm()
        access.forget()
        self.now = 0
        access = self.boot(always(255))
        access.spread_s = 10
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertLess(self.now, 10000)

    def life(self, seed, boots, script, attempts, most_ms):
        """(times of requests in ms, flash writes) of a board that boots `boots` times.

        Each boot ends after `most_ms`, in the middle of a wait, or after `attempts`.
        """
        dice = fakes.Dice(seed)
        asked = []
        writes = [0]

        class Over(Exception):
            pass

        def connecting(*where):
            asked.append(self.now)
            raise script()

        for _ in range(boots):
            access = self.boot(dice)
            access.spread_s = 60
            self.board.connect = connecting
            self.board.feed = lambda: None
            put = access.store._put

            def counting(name, data, put=put):
                writes[0] += 1
                put(name, data)

            access.store._put = counting
            begun = self.now

            def sleeping(ms, begun=begun):
                if self.now - begun > most_ms:
                    raise Over
                self.now += ms

            provision.sleep_ms = sleeping
            try:
                while True:
                    access.ensure(URL, DATA, attempts)
                    if attempts == 1:
                        break  # it dies with its request
            except Over:
                pass
        return asked, writes[0]

    def busiest(self, asked):
        """The most requests in any hour that begins after the first ten minutes."""
        later = [at for at in asked if at >= 600000]
        most = first = 0
        for last in range(len(later)):
            while later[last] - later[first] >= 3600000:
                first += 1
            most = max(most, last - first + 1)
        return most

    def test_dead_server(self):
        """Reboots for ever flood nobody and wear out no flash, however short."""
        for name, boots, attempts, most_ms in (
            ("dies with each request", 200, 1, 10**9),
            ("each minute", 200, 5, 60000),
            ("each ten minutes", 40, 5, 600000),
            ("each hour", 10, 5, 3600000),
        ):
            for seed in (1, 2, 3):
                self.tearDown()
                self.setUp()
                asked, writes = self.life(
                    seed, boots, lambda: PointError(CONNECT), attempts, most_ms
                )
                what = "%s, seed %d: %d asked" % (name, seed, len(asked))
                self.assertLessEqual(self.busiest(asked), 12, what)
                self.assertGreater(len(asked), 4, what)
                self.assertLessEqual(writes, 14, what)


class Failures(Case):
    """Whatever fails wherever: it ends, in time, with what was there."""

    def test_every_state_with_every_failure(self):
        """No more requests than attempts, and then a code; never an exception."""
        errors = (OFFLINE, TLS_CA, FLASH, READ_BACK, None)
        for state in ("online", "clock", "fetch", "keep", "revert", "count", "id"):
            for number in errors:
                for attempts in (1, 2, 5):
                    self.one(state, number, attempts)

    def one(self, state, number, attempts):
        error = MemoryError() if number is None else PointError(number)

        def failing(*arguments):
            raise error

        what = "%s %s %d" % (state, error, attempts)
        access = self.boot(always(0))
        access.rejected = state == "revert"
        if state == "online":
            self.board.online = failing
        elif state == "clock":
            access.set_clock = failing
        elif state == "fetch":
            self.board.connect = failing
        elif state == "keep":
            access.store.save = failing
        elif state == "revert":
            access.store.revert = failing
        elif state == "count":
            access.store.remember = failing
        elif state == "id":
            access.claim.request_id = failing
        self.server.asked.clear()
        code = access.ensure(URL, DATA, attempts)
        if state == "revert":  # it goes on without
            self.assertEqual(code, "00000", what)
            self.assertEqual(len(self.server.asked), 1, what)
        else:
            self.assertEqual(code, "77777", what)
            name = "NO_MEMORY" if number is None else error.name
            self.assertEqual(access.error.name, name, what)
            asked = attempts if state == "keep" else 0
            self.assertEqual(len(self.server.asked), asked, what)
            self.assertEqual(self.slots(), [], what)
            self.assertEqual(access.device_config["device"]["deviceName"], "")
            self.assertEqual(self.server.acknowledged, [], what)
        for stream in self.board.streams:
            self.assertEqual(stream.closed, 1, what)
        access.forget()
        self.server.acknowledged.clear()

    def test_codes_of_the_last_attempt(self):
        """The code is the last attempt's, and so is the error."""
        self.server.script = [refusal("40301"), refusal("50301")]
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA, 2), "50301")
        self.assertEqual(access.error.detail, "the server answered 50301")
        self.server.script = [refusal("40301"), provisioning.lost]
        self.assertEqual(access.ensure(URL, DATA, 2), "77777")
        self.assertEqual(access.error.name, "CLOSED")

    def test_offline_after_a_refusal(self):
        """A code that an earlier attempt got is still the last that was heard."""
        self.server.script = [refusal("40303")]
        access = self.boot()
        states = [None, PointError(OFFLINE)]

        def online(timeout_s):
            found = states.pop(0)
            if found:
                raise found

        self.board.online = online
        self.assertIn(access.ensure(URL, DATA, 2), ("40303", "77777"))
        self.assertEqual(access.error.name, "OFFLINE")

    def test_no_attempts(self):
        """None, or fewer, are one."""
        for attempts in (0, -1):
            access = self.boot(replies=[PointError(CONNECT)])
            self.assertEqual(access.ensure(URL, DATA, attempts), "77777")
            self.assertEqual(len(self.board.connected), 1)

    def test_table_is_what_is_done(self):
        """There is an action for each state, in the table's order."""
        walk = provision._Walk(self.boot(), 1, ())
        names = "LOAD SPREAD ONLINE CLOCK FETCH KEEP ACKNOWLEDGE WAIT REVERT".split()
        self.assertEqual(len(walk.actions), flow.HAND_OVER)
        for name in names:
            action = walk.actions[getattr(flow, name)]
            self.assertEqual(action, getattr(walk, name.lower()))

"""point.claim: a request id that is kept, and a count that spares the flash."""

import os
import unittest

import fakes

from point.claim import Claim
from point.errors import FLASH, PointError
from point.store import Store


class Spy:
    """A store in memory that counts its writes, and may fail them."""

    def __init__(self):
        self.kept = {}
        self.writes = 0
        self.error = None

    def pending(self):
        return dict(self.kept)

    def remember(self, pending):
        if self.error:
            raise self.error
        self.kept = dict(pending)
        self.writes += 1


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.dice = fakes.Dice()

    def tearDown(self):
        self.folder.remove()

    def boot(self):
        """The claim as a board finds it when it starts."""
        return Claim(Store(self.folder.path), self.dice)


class RequestId(Case):
    def test_shape(self):
        """32 lower-case hex digits from 16 random bytes."""
        asked = []

        def random(count):
            asked.append(count)
            return bytes(range(0xF0, 0xF0 + count))

        found = Claim(Spy(), random).request_id()
        self.assertEqual(found, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
        self.assertEqual(asked, [16])

    def test_in_flash_before_it_is_given(self):
        """Whoever has it can find it in flash: it was written, and read back, first."""
        claim = self.boot()
        found = claim.request_id()
        self.assertEqual(Store(self.folder.path).pending()["requestId"], found)

    def test_not_given_if_flash_fails(self):
        """An id that flash did not take does not exist, and the next is another."""
        store = Spy()
        claim = Claim(store, self.dice)
        store.error = PointError(FLASH, "errno 28")
        for _ in range(3):
            with self.assertRaises(PointError) as raised:
                claim.request_id()
            self.assertIs(raised.exception, store.error)
        self.assertEqual(store.kept, {})
        store.error = None
        self.assertEqual(store.kept.get("requestId"), None)
        found = claim.request_id()
        self.assertEqual(store.kept["requestId"], found)

    def test_not_given_if_read_back_fails(self):
        """The same when the flash takes it and does not hold it."""
        store = Store(self.folder.path)
        store._read = lambda name: b""
        with self.assertRaises(PointError) as raised:
            Claim(store, self.dice).request_id()
        self.assertEqual(raised.exception.name, "READ_BACK")

    def test_stays(self):
        """The same one, over counting and over reboots, with one write."""
        claim = self.boot()
        found = claim.request_id()
        store = Spy()
        store.kept = Store(self.folder.path).pending()
        again = Claim(store, lambda count: b"\xff" * count)
        for _ in range(9):
            self.assertEqual(again.request_id(), found)
            again.count()
        self.assertEqual(store.writes, 0)
        for _ in range(30):
            claim = self.boot()
            claim.count()
            self.assertEqual(claim.request_id(), found)

    def test_torn(self):
        """An id whose write was cut was never sent: there is another one."""
        found = self.boot().request_id()
        (name,) = self.folder.names()
        whole = self.folder.read(name)
        seen = [found]
        for end in range(len(whole)):
            os.remove(self.folder.file(name))
            self.folder.write(name, whole[:end])
            again = self.boot().request_id()
            self.assertNotIn(again, seen)
            seen.append(again)
            Store(self.folder.path).clear()
            self.folder.write(name, whole)

    def test_cut_while_counting(self):
        """A power cut while an attempt is written does not cost the id."""
        for _ in range(40):
            claim = self.boot()
            found = claim.request_id()
            before = {name: self.folder.read(name) for name in self.folder.names()}
            claim.count()
            for name in self.folder.names():
                whole = self.folder.read(name)
                if whole != before.get(name):
                    for end in range(len(whole)):
                        self.folder.write(name, whole[:end])
                        self.assertEqual(self.boot().request_id(), found)
                    self.folder.write(name, whole)
            self.assertEqual(self.boot().request_id(), found)
            if len(self.folder.names()) == 2 and claim.attempts > 12:
                break

    def test_renew(self):
        """A spent id is not drawn again, also after a reboot; the count stays."""
        store = Spy()
        claim = Claim(store, self.dice)
        found = claim.request_id()
        store.kept["attempts"] = 7
        claim.renew(found)
        self.assertEqual(store.kept, {"attempts": 7})
        self.assertNotEqual(Claim(store, self.dice).request_id(), found)
        self.assertEqual(store.kept["attempts"], 7)

    def test_renew_another(self):
        """Only the id that is meant is given up: another may be on its way."""
        store = Spy()
        claim = Claim(store, self.dice)
        for spent in (None, "", "f" * 32):
            claim.renew(spent)
            self.assertEqual((store.kept, store.writes), ({}, 0))
        found = claim.request_id()
        for spent in (None, "", "f" * 32, found[:31], found.upper() + " "):
            claim.renew(spent)
            self.assertEqual(claim.request_id(), found)
        self.assertEqual(store.writes, 1)


class Count(Case):
    def test_counts_in_memory(self):
        """Each attempt counts at once, written or not."""
        for byte in (0, 255):
            claim = Claim(Spy(), lambda count, byte=byte: bytes([byte]) * count)
            for number in range(1, 9):
                self.assertIsNone(claim.count())
                self.assertEqual(claim.attempts, number)

    def test_writes_are_few(self):
        """At most one write for ten attempts, over a thousand of them, fair dice."""
        for seed in range(1, 9):
            store = Spy()
            claim = Claim(store, fakes.Dice(seed))
            for _ in range(1000):
                claim.count()
            self.assertLessEqual(store.writes, 100, seed)

    def test_writes_are_few_over_reboots(self):
        """The same for a board that dies after each attempt."""
        for seed in range(1, 9):
            store = Spy()
            dice = fakes.Dice(seed)
            for _ in range(1000):
                Claim(store, dice).count()
            self.assertLessEqual(store.writes, 100, seed)

    def test_never_more_than_three(self):
        """Even if every lot is drawn: one write is ahead of four attempts."""
        for attempts_a_boot in (1, 2, 5, 100):
            store = Spy()
            for _ in range(100 // attempts_a_boot):
                claim = Claim(store, bytes)  # noughts: each lot falls for a write
                for _ in range(attempts_a_boot):
                    claim.count()
            self.assertEqual(store.writes, 3, attempts_a_boot)
            self.assertEqual(store.kept["attempts"], 12)

    def test_survives_reboots(self):
        """A board that dies after each attempt soon knows that there were many."""
        for seed in range(1, 33):
            store = Spy()
            dice = fakes.Dice(seed)
            for _ in range(40):
                Claim(store, dice).count()
            self.assertGreaterEqual(Claim(store, dice).attempts, 11, seed)

    def test_never_goes_back(self):
        """What a reboot finds is never less than what it found before."""
        store = Spy()
        found = 0
        for _ in range(100):
            claim = Claim(store, self.dice)
            self.assertGreaterEqual(claim.attempts, found)
            found = claim.attempts
            for _ in range(3):
                claim.count()

    def test_flash_fails(self):
        """It is told, not raised; the attempt counts all the same."""
        store = Spy()
        store.error = PointError(FLASH, "errno 28")
        claim = Claim(store, bytes)
        self.assertIs(claim.count(), store.error)
        self.assertEqual(claim.attempts, 1)

    def test_in_flash(self):
        """It is in the board's flash, beside the id."""
        claim = Claim(Store(self.folder.path), bytes)
        found = claim.request_id()
        claim.count()
        again = self.boot()
        self.assertGreaterEqual(again.attempts, 1)
        self.assertEqual(again.request_id(), found)

    def test_settle(self):
        """It ends the claim: no attempts, another id next time; with one write."""
        store = Spy()
        claim = Claim(store, bytes)
        found = Claim(store, self.dice).request_id()
        claim.count()
        claim.settle()
        self.assertEqual((claim.attempts, store.kept), (0, {}))
        writes = store.writes
        claim.settle()
        self.assertEqual(store.writes, writes)
        self.assertNotEqual(Claim(store, self.dice).request_id(), found)

    def test_settle_without_a_claim(self):
        """Every warm boot does it; it costs no write."""
        store = Spy()
        Claim(store, self.dice).settle()
        self.assertEqual(store.writes, 0)

    def test_settle_fails(self):
        """Whoever settles is told when flash does not take it."""
        store = Spy()
        claim = Claim(store, self.dice)
        claim.request_id()
        store.error = PointError(FLASH)
        with self.assertRaises(PointError):
            claim.settle()


class Reset(Case):
    def test_in_flash(self):
        """It is there after a reboot, and gone after the one in which it was told."""
        self.assertFalse(self.boot().reset)
        self.boot().keep_reset(True)
        self.assertTrue(self.boot().reset)
        self.boot().keep_reset(False)
        self.assertFalse(self.boot().reset)

    def test_outlives_the_claim(self):
        """Whatever becomes of a claim, the reset stays; and the other way round."""
        claim = self.boot()
        found = claim.request_id()
        claim.keep_reset(True)
        self.assertEqual(claim.request_id(), found)
        for _ in range(9):
            claim.count()
        claim.renew("f" * 32)
        self.assertEqual(self.boot().request_id(), found)
        claim.renew(found)
        self.assertTrue(self.boot().reset)
        another = claim.request_id()
        self.assertNotEqual(another, found)
        claim.keep_reset(False)
        self.assertEqual(self.boot().request_id(), another)
        claim.keep_reset(True)
        claim.settle()
        self.assertTrue(self.boot().reset)
        self.assertEqual(self.boot().attempts, 0)
        self.assertNotEqual(self.boot().request_id(), another)

    def test_settled_with_one_write(self):
        """Each warm boot settles; a reset that waits does not make it write."""
        store = Spy()
        claim = Claim(store, self.dice)
        claim.request_id()
        claim.keep_reset(True)
        writes = store.writes
        for _ in range(3):
            claim.settle()
        self.assertEqual(store.writes, writes + 1)
        self.assertTrue(claim.reset)

    def test_flash_fails(self):
        """What flash did not take is not kept, and whoever asked is told."""
        store = Spy()
        claim = Claim(store, self.dice)
        for wanted in (True, False):
            store.error = PointError(FLASH)
            with self.assertRaises(PointError):
                claim.keep_reset(wanted)
            self.assertIs(claim.reset, not wanted)
            store.error = None
            claim.keep_reset(wanted)

    def test_power_cut(self):
        """Power that fails while anything else is written does not cost the reset."""
        self.boot().keep_reset(True)
        for act in ("request_id", "count", "settle", "request_id", "count"):
            before = {name: self.folder.read(name) for name in self.folder.names()}
            getattr(self.boot(), act)()
            for name in self.folder.names():
                whole = self.folder.read(name)
                if whole != before.get(name):
                    for end in range(len(whole)):
                        self.folder.write(name, whole[:end])
                        self.assertTrue(self.boot().reset, (act, end))
                    self.folder.write(name, whole)
            self.assertTrue(self.boot().reset, act)

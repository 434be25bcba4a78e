"""point.store: two slots, and no way to lose or to invent a record."""

import os
import struct
import unittest

import fakes

from point import slot as slots
from point import store
from point.compat import crc32
from point.errors import PointError
from point.store import Store

FIRST, SECOND = "credentials.0", "credentials.1"
OLD = {"device": {"deviceName": "old"}, "n": [1, None, True]}
NEW = {"device": {"deviceName": "new"}, "n": []}
NEWER = {"x": "newer"}


def slot(state=1, sequence=1, text=b'{"a":1}', magic=b"PtAc", version=1, length=None):
    """The bytes of a slot with a good checksum, whatever else is wrong with it."""
    length = len(text) if length is None else length
    data = struct.pack(">4sBBIH", magic, version, state, sequence, length) + text
    return data + struct.pack(">I", crc32(data))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.store = Store(self.folder.path)

    def tearDown(self):
        self.folder.remove()

    def load(self):
        """What a board finds at its next boot."""
        return Store(self.folder.path).load()

    def both(self):
        return [self.folder.read(name) for name in self.folder.names()]

    def block(self, name):
        """Make the next write to a slot fail, as a full or broken flash would."""
        if name in self.folder.names():
            os.remove(self.folder.file(name))
        os.mkdir(self.folder.file(name))

    def failed(self, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        return raised.exception.name


class Slots(Case):
    def test_empty(self):
        """An empty flash holds no record, and looking at it writes nothing."""
        self.assertIsNone(self.load())
        self.store.confirm()
        self.assertIsNone(self.store.revert())
        self.store.clear()
        self.assertEqual(self.folder.names(), [])

    def test_constructor_does_nothing(self):
        """Nothing is touched before it is asked for."""
        self.assertIsNone(Store("no/such/folder").load())

    def test_trailing_slash(self):
        """The root of a board's flash is "/"; a slash more or less is the same."""
        self.store.save(OLD)
        self.assertEqual(Store(self.folder.path + "/").load(), OLD)

    def test_save_and_load(self):
        """What was saved is found after a reboot."""
        for record in (OLD, {}, [], "text", 7, None, {"x": "\u00e9\u4f60"}):
            self.store.save(record)
            self.assertEqual(self.load(), record)

    def test_newest_wins(self):
        """Saves go to both slots in turn."""
        for number in range(5):
            self.store.save({"n": number})
            self.assertEqual(self.load(), {"n": number})
            self.assertEqual(len(self.folder.names()), min(number + 1, 2))

    def test_only_one_slot_changes(self):
        """A write leaves the other slot as it is, byte by byte."""
        self.store.save(OLD)
        self.store.save(NEW)
        for record in (NEWER, OLD, NEW):
            before = self.both()
            self.store.save(record)
            after = self.both()
            self.assertEqual([a == b for a, b in zip(before, after)].count(True), 1)  # noqa: B905

    def test_size_at_the_edge(self):
        """4096 bytes of JSON fit; one more is refused before the flash is opened."""
        self.store.save("x" * 4094)
        self.assertEqual(self.load(), "x" * 4094)
        before = self.both()
        self.assertEqual(self.failed(self.store.save, "x" * 4095), "FLASH")
        self.assertEqual(self.both(), before)


class Candidates(Case):
    def test_confirm_then_refused(self):
        """The confirmed record outlives any number of candidates, and comes back."""
        self.store.save(OLD)
        self.store.confirm()
        for record in (NEW, NEWER, NEW):
            self.store.save(record)
            self.assertEqual(self.load(), record)
        self.assertEqual(self.store.revert(), OLD)
        self.assertEqual(self.load(), OLD)

    def test_reverted_is_confirmed(self):
        """After going back there is nothing to go back from."""
        self.store.save(OLD)
        self.store.confirm()
        self.store.save(NEW)
        self.store.revert()
        self.assertIsNone(self.store.revert())
        self.store.save(NEWER)
        self.assertEqual(self.store.revert(), OLD)

    def test_nothing_to_go_back_to(self):
        """Without a confirmed record a refused candidate stays."""
        self.store.save(OLD)
        self.assertIsNone(self.store.revert())
        self.store.save(NEW)
        self.assertIsNone(self.store.revert())
        self.assertEqual(self.load(), NEW)

    def test_a_confirmed_record_is_not_reverted(self):
        """What has worked is not given up."""
        self.store.save(OLD)
        self.store.confirm()
        self.store.save(NEW)
        self.store.confirm()
        self.assertIsNone(self.store.revert())
        self.assertEqual(self.load(), NEW)

    def test_confirm_twice_writes_once(self):
        """Every boot confirms; only the first one costs a write."""
        self.store.save(OLD)
        self.store.confirm()
        before = self.both()
        self.store._write = None  # a write would fail on this
        for _ in range(3):
            self.store.confirm()
        self.assertEqual(self.both(), before)

    def files(self):
        return dict([(name, self.folder.read(name)) for name in self.folder.names()])

    def torn(self, before, expected):
        """Had the power been cut in the write just done, `expected` would be there."""
        after = self.files()
        for name in after:
            if after[name] != before.get(name):
                self.folder.write(name, after[name][: len(after[name]) // 2])
                self.assertEqual(self.load(), expected)
                self.folder.write(name, after[name])

    def test_all_orders(self):
        """In every order of five steps, cut or not, flash holds what a model says."""
        for number in range(3**5):
            self.store.clear()
            newest = confirmed = None
            is_confirmed = True
            for place in range(5):
                before = self.files()
                step = number // 3**place % 3
                if step == 0:
                    kept = newest if is_confirmed or confirmed is None else confirmed
                    newest, is_confirmed = [number, place], False
                    self.store.save(newest)
                elif step == 1:
                    kept = newest
                    confirmed, is_confirmed = newest, True
                    self.store.confirm()
                else:
                    kept = back = None if is_confirmed else confirmed
                    self.assertEqual(self.store.revert(), back, number)
                    if back is not None:
                        newest, is_confirmed = back, True
                self.assertEqual(self.load(), newest, number)
                self.torn(before, kept)


class Damage(Case):
    def damaged(self, expected):
        """For each truncation and each flipped bit of the newest slot."""
        name = self.folder.names()[-1]
        whole = self.folder.read(name)
        for end in range(len(whole)):
            self.folder.write(name, whole[:end])
            self.assertEqual(self.store.load(), expected, end)
        for bit in range(len(whole) * 8):
            broken = bytearray(whole)
            broken[bit // 8] ^= 1 << bit % 8
            self.folder.write(name, broken)
            self.assertEqual(self.store.load(), expected, bit)
        for tail in (b"\0", b"\xff", whole):
            self.folder.write(name, whole + tail)
            self.assertEqual(self.store.load(), expected)

    def test_damaged_slot(self):
        """No truncation and no flipped bit of the newest slot gives a wrong record."""
        self.store.save(OLD)
        self.store.save(NEW)
        self.damaged(OLD)

    def test_damaged_only_slot(self):
        """With nothing else in flash there is no record rather than a wrong one."""
        self.store.save(OLD)
        self.damaged(None)

    def test_damaged_slot_is_written_next(self):
        """The slot that is not whole is the spare one, whichever it is."""
        for broken, kept in ((FIRST, NEW), (SECOND, OLD)):
            self.store.clear()
            self.store.save(OLD)
            self.store.save(NEW)
            self.folder.write(broken, b"PtAc")
            self.assertEqual(self.load(), kept)
            self.store.save(NEWER)
            self.assertEqual(self.load(), NEWER)
            self.folder.write(broken, b"")
            self.assertEqual(self.load(), kept)

    def test_foreign_slots(self):
        """Erased flash, other people's files, other versions: passed over."""
        self.store.save(OLD)
        for data in (
            b"",
            b"\xff" * 64,
            b"\0" * 64,
            b'{"a":1}',
            os.urandom(300),
            slot(magic=b"ptac"),
            slot(version=0),
            slot(version=2, sequence=9),
            slot(length=6),
            slot(length=8),
            slot(length=0),
            slot(text=b""),
            slot(text=b'{"a":1'),
            slot(text=b'{"a" 1}'),
            slot(text=b"\xff"),
            slot(text=b'"' + b"x" * 4095 + b'"'),
            slot() + b"\0",
        ):
            self.folder.write(SECOND, data)
            self.assertEqual(self.load(), OLD, data[:20])
            self.store.save(NEW)
            self.assertEqual(self.load(), NEW)

    def test_the_format_is_pinned(self):
        """A slot of today must be readable for ever: these are its bytes."""
        self.folder.write(FIRST, slot(sequence=7))
        self.assertEqual(self.load(), {"a": 1})
        self.store.save(NEW)
        self.assertEqual(self.folder.read(SECOND)[:10], b"PtAc\x01\x01\0\0\0\x08")
        fixed = b'PtAc\x01\x02\x00\x00\x00\x09\x00\x07{"b":2}'
        self.folder.write(FIRST, fixed + struct.pack(">I", 0x8554AD95))
        self.assertEqual(self.load(), {"b": 2})

    def test_swapped_slots(self):
        """The sequence number decides, not the file's name."""
        self.store.save(OLD)
        self.store.save(NEW)
        first, second = self.both()
        self.folder.write(FIRST, second)
        self.folder.write(SECOND, first)
        self.assertEqual(self.load(), NEW)
        self.store.save(NEWER)
        self.assertEqual(self.load(), NEWER)


class Failures(Case):
    def test_failed_write_keeps_the_previous(self):
        """When the flash takes nothing the last record stays."""
        self.store.save(OLD)
        before = self.folder.read(FIRST)
        self.block(SECOND)
        self.assertEqual(self.failed(self.store.save, NEW), "FLASH")
        self.assertEqual(self.load(), OLD)
        self.assertEqual(self.folder.read(FIRST), before)

    def test_failed_confirm_keeps_the_candidate(self):
        """A candidate that could not be confirmed is still the one in use."""
        self.store.save(OLD)
        self.block(SECOND)
        self.assertEqual(self.failed(self.store.confirm), "FLASH")
        self.assertEqual(self.load(), OLD)

    def test_no_folder(self):
        """A flash that is not mounted is FLASH, not a crash."""
        lost = Store(self.folder.file("none"))
        self.assertEqual(self.failed(lost.save, OLD), "FLASH")
        lost.clear()

    def test_read_back(self):
        """A write that the flash did not keep is not counted as done."""
        self.store._read = lambda path: b""
        self.assertEqual(self.failed(self.store.save, OLD), "READ_BACK")

    def test_clear(self):
        """Both slots go; what is not ours stays."""
        self.store.save(OLD)
        self.store.save(NEW)
        self.folder.write("settings.json", b"{}")
        self.store.clear()
        self.assertEqual(self.folder.names(), ["settings.json"])
        self.assertIsNone(self.load())

    def test_clear_fails_aloud(self):
        """A slot that cannot be removed is an error: somebody wanted it gone."""
        self.block(FIRST)
        self.folder.write(FIRST + "/x", b"")
        try:
            self.assertEqual(self.failed(self.store.clear), "FLASH")
        finally:
            os.remove(self.folder.file(FIRST + "/x"))

    def test_out_of_memory(self):
        """Memory that runs out while serialising leaves the flash as it was."""

        class Full:
            @staticmethod
            def dumps(record):
                raise MemoryError

        self.store.save(OLD)
        before = self.both()
        json, slots.json = slots.json, Full
        try:
            with self.assertRaises(MemoryError):
                self.store.save(NEW)
        finally:
            slots.json = json
        self.assertEqual(self.both(), before)


KEY = bytes(range(32))
OTHER = b"k" * 32


class Keyed(Case):
    """Under a key of the board's own."""

    def setUp(self):
        Case.setUp(self)
        self.dice = fakes.Dice()
        self.store = Store(self.folder.path, KEY, self.dice)

    def load(self, key=KEY):
        return Store(self.folder.path, key, self.dice).load()

    def test_life(self):
        """Save, confirm, go back: as without a key, and found after each reboot."""
        self.store.save(OLD)
        self.assertEqual(self.load(), OLD)
        self.store.confirm()
        for record in (NEW, NEWER):
            self.store.save(record)
            self.assertEqual(self.load(), record)
        self.assertEqual(self.store.revert(), OLD)
        self.assertEqual(self.load(), OLD)
        self.assertIsNone(self.store.revert())
        self.store.clear()
        self.assertIsNone(self.load())
        self.assertEqual(self.folder.names(), [])

    def test_secrets_are_not_in_the_files(self):
        """No file holds a secret, a name or a request id that can be read."""
        record = fakes.config()
        self.store.save(record)
        self.store.confirm()
        self.store.remember({"requestId": "f00dfeed" * 4, "attempts": 7})
        everything = b"".join(self.both())
        self.assertGreater(len(everything), 600)
        for part in ("device", "connect"):
            for name in record[part]:
                self.assertNotIn(name.encode(), everything)
                if len(str(record[part][name])) > 1:
                    self.assertNotIn(str(record[part][name]).encode(), everything)
        for word in (b"f00dfeed", b"requestId", b"attempts", KEY[:8]):
            self.assertNotIn(word, everything)

    def test_each_write_looks_different(self):
        """The same record twice is not the same bytes: a thief learns no change."""
        self.store.save(OLD)
        self.store.save(OLD)
        first, second = self.both()
        self.assertEqual(len(first), len(second))
        for at in range(12, len(first) - 16, 16):
            self.assertNotIn(first[at : at + 16], second)

    def test_a_cloned_flash(self):
        """On a board with another key, or none, there is nothing."""
        self.store.save(OLD)
        self.store.remember({"requestId": "x"})
        for key in (OTHER, None, KEY[:16]):
            other = Store(self.folder.path, key, self.dice)
            self.assertIsNone(other.load())
            self.assertEqual(other.pending(), {})
            self.assertIsNone(other.revert())
            other.confirm()
        self.assertEqual(self.load(), OLD)

    def test_a_clear_flash(self):
        """What somebody wrote in clear is not taken for ours."""
        Store(self.folder.path).save(OLD)
        Store(self.folder.path).remember({"requestId": "x"})
        self.assertIsNone(self.load())
        self.assertEqual(self.store.pending(), {})
        self.store.save(NEW)
        self.assertEqual(self.load(), NEW)
        self.assertEqual(self.store.pending(), {})

    def test_a_clear_slot_beside_ours(self):
        """Nor does it win by a higher number, nor keep its place."""
        self.store.save(OLD)
        self.folder.write(SECOND, slot(state=2, sequence=99))
        self.assertEqual(self.load(), OLD)
        self.store.save(NEW)
        self.assertEqual(self.load(), NEW)
        self.store.confirm()
        self.assertEqual(self.load(), NEW)

    def test_damage(self):
        """Every truncation and every eighth bit: the other slot, never a wrong one."""
        self.store.save(OLD)
        self.store.save(NEW)
        whole = self.folder.read(SECOND)
        for end in range(len(whole)):
            self.folder.write(SECOND, whole[:end])
            self.assertEqual(self.load(), OLD, end)
        for bit in range(0, len(whole) * 8, 7):
            broken = bytearray(whole)
            broken[bit // 8] ^= 1 << bit % 8
            self.folder.write(SECOND, broken)
            self.assertEqual(self.load(), OLD, bit)

    def test_swapped(self):
        """A slot may lie in either file: the sequence is in the seal."""
        self.store.save(OLD)
        self.store.save(NEW)
        first, second = self.both()
        self.folder.write(FIRST, second)
        self.folder.write(SECOND, first)
        self.assertEqual(self.load(), NEW)

    def test_size_at_the_edge(self):
        """As many bytes of JSON fit as without a key."""
        self.store.save("x" * 4094)
        self.assertEqual(self.load(), "x" * 4094)
        self.assertEqual(self.failed(self.store.save, "x" * 4095), "FLASH")
        self.assertEqual(self.load(), "x" * 4094)


class Pending(Case):
    def pending(self):
        """What a board finds at its next boot."""
        return Store(self.folder.path).pending()

    def names(self):
        return [name for name in self.folder.names() if name[:7] == "pending"]

    def test_nothing(self):
        """An empty flash has no claim under way, and asking writes nothing."""
        self.assertEqual(self.pending(), {})
        self.assertEqual(self.folder.names(), [])

    def test_there_and_back(self):
        """What is remembered is found, the last of many, in two files."""
        for number in range(9):
            self.store.remember({"requestId": "x", "attempts": number})
            found = {"requestId": "x", "attempts": number}
            self.assertEqual(self.pending(), found)
        self.assertEqual(len(self.names()), 2)
        self.store.remember({})
        self.assertEqual(self.pending(), {})

    def test_apart_from_credentials(self):
        """Neither disturbs the other."""
        self.store.remember({"requestId": "x"})
        self.store.save(OLD)
        self.store.confirm()
        self.assertEqual(self.pending(), {"requestId": "x"})
        self.store.remember({"requestId": "y"})
        self.assertEqual(self.load(), OLD)

    def test_cut_anywhere(self):
        """A power cut at any byte of a write leaves what was there before it."""
        for count in range(1, 5):
            for number in range(count):
                self.store.remember({"requestId": "x%d" % number})
            names = self.names()
            before = {name: self.folder.read(name) for name in names}
            self.store.remember({"requestId": "new"})
            for name in self.names():
                whole = self.folder.read(name)
                if whole == before.get(name):
                    continue
                for end in range(len(whole)):
                    self.folder.write(name, whole[:end])
                    expected = {"requestId": "x%d" % (count - 1)}
                    self.assertEqual(self.pending(), expected)
                self.folder.write(name, whole)
            self.assertEqual(self.pending(), {"requestId": "new"})
            self.store.clear()

    def test_damage(self):
        """A flipped bit gives the one before, or none, never a wrong one."""
        self.store.remember({"requestId": "abc", "attempts": 1})
        (name,) = self.names()
        whole = self.folder.read(name)
        for bit in range(len(whole) * 8):
            broken = bytearray(whole)
            broken[bit // 8] ^= 1 << bit % 8
            self.folder.write(name, broken)
            self.assertEqual(self.pending(), {}, bit)

    def test_clear(self):
        """It goes with the credentials."""
        self.store.remember({"requestId": "x"})
        self.store.remember({"requestId": "x"})
        self.store.save(OLD)
        self.store.clear()
        self.assertEqual(self.folder.names(), [])

    def test_flash_fails(self):
        """It says so, and what was remembered is still there."""
        self.store.remember({"requestId": "x"})
        (name,) = self.names()
        other = "pending.0" if name == "pending.1" else "pending.1"
        self.block(other)
        self.assertEqual(self.failed(self.store.remember, {}), "FLASH")
        self.assertEqual(self.pending(), {"requestId": "x"})


class Setup(Case):
    def test_read_setup(self):
        """Deployment's files are read whole, and a missing one is told by name."""
        self.folder.write("ca.der", b"\x30\x82")
        self.assertEqual(store.read_setup(self.folder.path, "ca.der"), b"\x30\x82")
        self.assertEqual(
            store.read_setup(self.folder.path + "/", "ca.der"), b"\x30\x82"
        )
        with self.assertRaises(PointError) as raised:
            store.read_setup(self.folder.path, "none.der")
        self.assertEqual(str(raised.exception), "E60 SETTING: none.der cannot be read")

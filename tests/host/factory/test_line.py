"""One board's turn: every rule, every interruption, and no step twice."""

import json
import sqlite3
import threading

import pytest

from pointctl.boards.kinds import BoardKind
from pointctl.errors import PointctlError
from pointctl.factory.domain.job import SelfTest
from pointctl.factory.domain.journal import Journal, JournalError
from pointctl.factory.domain.units import WHAT_TO_DO, Reason, Step
from pointctl.factory.station.line import TurnOutcome
from tests.host.factory_parts import (
    CountingLabels,
    CountingSource,
    MemoryBoard,
    PowerCut,
    line,
)
from tests.host.serving import imei
from tests.patience import PATIENCE_S

STEPS = ("seen", "asking", "answered", "burning", "burned", "labelled", "done")


@pytest.fixture
def journal(tmp_path):
    """The journal of a new job."""
    with Journal(tmp_path / "job", "bench-1") as opened:
        opened.begin()
        yield opened


def steps(journal, unit):
    """Return the steps of a unit in the journal."""
    return [event.step.value for event in journal.events(unit)]


def test_a_new_board(journal):
    """It takes all steps, one key and one label, and nothing when it comes again."""
    source, labels, board = CountingSource(), CountingLabels(), MemoryBoard(imei(1))
    one = line(journal, source, board, labels=labels)
    assert one.process("P0", BoardKind.ESP32).outcome is TurnOutcome.PASSED
    assert steps(journal, imei(1)) == list(STEPS)
    assert board.key == source.given[imei(1)] == journal.key(imei(1))
    again = line(journal, source, board, labels=labels).process("P0", None)
    assert (again.outcome, again.reason) == (TurnOutcome.ALREADY, None)
    assert (source.asked, labels.made) == ([imei(1)], [imei(1)])


def test_the_self_test_comes_before_the_label(journal):
    """The journal has the line that the board printed."""
    board, labels = MemoryBoard(imei(1)), CountingLabels()
    board.fail = ["try"]
    more = {"labels": labels, "self_test": SelfTest.CREDENTIALS}
    one = line(journal, CountingSource(), board, **more)
    assert one.process("P0", None).reason is Reason.UNPLUGGED
    assert labels.made == []
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    assert (board.tried, labels.made) == (1, [imei(1)])
    tested = [e for e in journal.events(imei(1)) if e.step is Step.TESTED]
    assert [event.note for event in tested] == ["credentials 00000 server"]


@pytest.mark.parametrize("fault", ["open", "identify", "burn", "burned"])
def test_unplugged_at_any_step(journal, fault):
    """It goes on where it stopped; the source is asked once."""
    source, board = CountingSource(), MemoryBoard(imei(1), fail=[fault])
    one = line(journal, source, board)
    failed = one.process("P0", None)
    wanted = Reason.NO_ANSWER if fault in ("open", "identify") else Reason.UNPLUGGED
    assert (failed.outcome, failed.reason) == (TurnOutcome.FAILED, wanted)
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    assert source.asked == [imei(1)]
    assert board.key == source.given[imei(1)]


@pytest.mark.parametrize("cut", range(1, 8))
@pytest.mark.parametrize("after", [False, True])
def test_power_cut_at_every_step(tmp_path, monkeypatch, cut, after):
    """Before or after each write of the journal: the unit is done once, for one key."""
    source, board, labels = CountingSource(), MemoryBoard(imei(1)), CountingLabels()
    real, count = Journal.append, [0]

    def append(self, step, *given, **more):
        count[0] += step in STEPS
        strikes = count[0] == cut and step in STEPS
        if strikes and not after:
            raise PowerCut
        number = real(self, step, *given, **more)
        if strikes:
            raise PowerCut
        return number

    with Journal(tmp_path / "job") as journal, monkeypatch.context() as patched:
        patched.setattr(Journal, "append", append)
        with pytest.raises(PowerCut):
            line(journal, source, board, labels=labels).process("P0", None)
    with Journal(tmp_path / "job") as journal:
        result = line(journal, source, board, labels=labels).process("P0", None)
        wanted = (
            TurnOutcome.ALREADY if (cut, after) == (7, True) else TurnOutcome.PASSED
        )
        assert result.outcome is wanted
        assert journal.progress(imei(1)).done
        assert journal.key(imei(1)) == board.key
    assert source.given == {imei(1): board.key}
    # Once the answer is in the journal nobody is asked again.
    assert len(source.asked) == (2 if (cut, after) in ((3, False),) else 1)
    assert len(labels.made) == (2 if (cut, after) == (6, False) else 1)


def test_a_source_that_is_away(journal):
    """Nothing is burned, and it is asked again; a lost answer costs nothing."""
    source, board = CountingSource(down=1, lose=1), MemoryBoard(imei(1))
    one = line(journal, source, board)
    for _ in range(2):
        failed = one.process("P0", None)
        assert (failed.outcome, failed.reason) == (
            TurnOutcome.FAILED,
            Reason.SOURCE_DOWN,
        )
        assert board.key is None
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    assert source.given == {imei(1): board.key}


def test_a_lost_answer_that_may_have_cost_a_key(journal):
    """If asking again may cost a key, a person has to allow it."""
    source, board = CountingSource(lose=1, repeats_are_free=False), MemoryBoard(imei(1))
    one = line(journal, source, board)
    for _ in range(2):
        assert one.process("P0", None).reason is Reason.UNSURE
    assert len(source.asked) == 1
    one = line(journal, source, board, ask_again=[imei(1)])
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    assert len(source.asked) == 2


def test_a_power_cut_while_such_a_source_is_asked(journal):
    """If the journal has no answer, a person has to allow asking again, too."""
    source, board = CountingSource(repeats_are_free=False), MemoryBoard(imei(1))
    journal.append(Step.ASKING, imei(1))
    assert line(journal, source, board).process("P0", None).reason is Reason.UNSURE
    assert source.asked == []


def test_such_a_source_that_was_never_reached(journal):
    """Nothing was spent, so the source is asked again by itself."""
    source, board = CountingSource(down=1, repeats_are_free=False), MemoryBoard(imei(1))
    one = line(journal, source, board)
    assert one.process("P0", None).reason is Reason.SOURCE_DOWN
    assert one.process("P0", None).outcome is TurnOutcome.PASSED


def test_flash_that_does_not_hold(journal):
    """The unit is not done, and the same key is burned the next time."""
    source, board = CountingSource(), MemoryBoard(imei(1), torn=True)
    one = line(journal, source, board)
    assert one.process("P0", None).reason is Reason.NOT_BURNED
    assert not journal.progress(imei(1)).done
    board.torn = False
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    assert source.asked == [imei(1)]


KEY = "5f" * 32


@pytest.mark.parametrize(
    ("board", "reason"),
    [
        (MemoryBoard(imei(1), kind="quecpython"), Reason.WRONG_BOARD),
        (MemoryBoard(imei(1), built_for="quecpython"), Reason.WRONG_BOARD),
        (MemoryBoard(imei(1), product="pk-other"), Reason.WRONG_PRODUCT),
        (MemoryBoard(imei(1), key=KEY), Reason.OTHER_KEY),
        (MemoryBoard(imei(1), claimed="meter-1"), Reason.ENROLLED),
        (MemoryBoard(imei(1), key=KEY, claimed="meter-1"), Reason.ENROLLED),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_boards_that_are_set_aside(journal, board, reason):
    """A rule refuses them; the source is not asked, and nothing is burned."""
    source, held = CountingSource(), board.key
    result = line(journal, source, board).process("P0", None)
    assert (result.outcome, result.reason) == (TurnOutcome.REFUSED, reason)
    assert (source.asked, board.key) == ([], held)
    last = list(journal.events(imei(1)))[-1]
    assert (last.step, last.reason) == (Step.REFUSED, reason.value)


def test_every_reason_has_its_line():
    """Each reason has a line that says what to do."""
    assert set(WHAT_TO_DO) == set(Reason)


def test_another_key_is_replaced_if_the_plan_says_so(journal):
    """The plan may replace keys of another line."""
    board = MemoryBoard(imei(1), key=KEY)
    one = line(journal, CountingSource(), board, replace_keys=True)
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    assert board.key != KEY


def test_a_done_board_whose_flash_was_wiped_gets_the_same_key(journal):
    """It is repaired; the source is not asked."""
    source, board = CountingSource(), MemoryBoard(imei(1), chip="c1")
    one = line(journal, source, board)
    one.process("P0", None)
    key, board.key = board.key, None
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    assert (board.key, len(source.asked)) == (key, 1)


def test_a_key_that_is_gone_and_no_chip_id(journal):
    """It may be a second board with that number, so a person has to confirm it."""
    source, board = CountingSource(), MemoryBoard(imei(1))
    one = line(journal, source, board)
    one.process("P0", None)
    key, board.key = board.key, None
    assert one.process("P0", None).reason is Reason.DUPLICATE
    assert board.key is None
    one = line(journal, source, board, repair=[imei(1)])
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    assert (board.key, len(source.asked)) == (key, 1)


def test_a_done_board_that_was_given_another_key_since(journal):
    """A key that was replaced later is refused."""
    board = MemoryBoard(imei(1))
    one = line(journal, CountingSource(), board)
    one.process("P0", None)
    board.key = KEY
    assert one.process("P0", None).reason is Reason.OTHER_KEY
    assert journal.progress(imei(1)).done


def test_two_boards_with_one_number(journal):
    """The second chip is refused, and gets no key."""
    source = CountingSource()
    boards = [MemoryBoard(imei(1), chip="c1"), MemoryBoard(imei(1), chip="c2")]
    one = line(journal, source, *boards)
    assert one.process("P0", None).outcome is TurnOutcome.PASSED
    second = one.process("P1", None)
    assert (second.outcome, second.reason) == (TurnOutcome.REFUSED, Reason.DUPLICATE)
    assert (boards[1].key, len(source.asked)) == (None, 1)


def test_two_boards_with_one_number_at_once(journal):
    """The second board is refused while the first one is in work."""
    asked, go_on = threading.Event(), threading.Event()

    class Slow(CountingSource):
        def request_key(self, unit):
            asked.set()
            assert go_on.wait(PATIENCE_S)
            return super().request_key(unit)

    source = Slow()
    one = line(journal, source, MemoryBoard(imei(1)), MemoryBoard(imei(1)))
    results = []
    first = threading.Thread(target=lambda: results.append(one.process("P0", None)))
    first.start()
    assert asked.wait(PATIENCE_S)
    second = one.process("P1", None)
    go_on.set()
    first.join()
    assert second.reason is Reason.DUPLICATE
    assert "P0" in second.text
    assert results[0].outcome is TurnOutcome.PASSED
    assert journal.progress(imei(1)).done


def test_the_plan_is_for_so_many(journal):
    """The third board of a plan for two is refused; the first two may come again."""
    source = CountingSource()
    boards = [MemoryBoard(imei(n)) for n in range(3)]
    one = line(journal, source, *boards, count=2)
    outcomes = [one.process(f"P{n}", None).reason for n in (0, 1, 2)]
    assert outcomes == [None, None, Reason.COMPLETE]
    assert one.process("P1", None).outcome is TurnOutcome.ALREADY
    assert len(source.given) == 2


def test_denied(journal):
    """The source's reason is shown, and recorded in the journal."""
    source = CountingSource(denied={imei(1)})
    result = line(journal, source, MemoryBoard(imei(1))).process("P0", None)
    assert (result.reason, result.text) == (Reason.SOURCE_REFUSED, "not this one")
    assert journal.progress(imei(1)).note == "not this one"


def test_the_journal_only_grows(journal):
    """SQLite itself refuses every change and removal."""
    line(journal, CountingSource(), MemoryBoard(imei(1))).process("P0", None)
    with sqlite3.connect(journal.path) as raw:
        for statement in ("DELETE FROM events", "UPDATE events SET unit = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                raw.execute(statement)
    raw.close()
    assert journal.faults() == []


def test_no_key_is_in_the_journal_in_clear(journal, tmp_path):
    """No file of the job's folder holds a key in clear, and all are private."""
    source = CountingSource()
    line(journal, source, MemoryBoard(imei(1))).process("P0", None)
    journal.close()
    key = source.given[imei(1)]
    files = [path for path in (tmp_path / "job").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"journal.sqlite", "database-key"}
    for path in files:
        data = path.read_bytes()
        assert key.encode() not in data
        assert bytes.fromhex(key) not in data
        if path.name in ("journal.sqlite", "database-key"):
            assert path.stat().st_mode & 0o077 == 0


def test_a_journal_without_its_key(journal, tmp_path):
    """The error says so, and nothing is burned."""
    source, board = CountingSource(), MemoryBoard(imei(1), fail=["burn"])
    one = line(journal, source, board)
    one.process("P0", None)
    (tmp_path / "job" / "database-key").unlink()
    with Journal(tmp_path / "job") as opened:
        with pytest.raises(PointctlError, match="encrypted under the key"):
            opened.begin()
        result = line(opened, source, board).process("P0", None)
    assert (result.reason, board.key) == (Reason.STATION, None)
    assert "encrypted under the key" in result.text


def test_a_journal_that_cannot_be_written(journal, monkeypatch):
    """Nothing is done to a board, and the station gets the error."""
    source, board = CountingSource(), MemoryBoard(imei(1))

    def full(*_given, **_more):
        raise JournalError("the disk is full")

    monkeypatch.setattr(journal, "append", full)
    with pytest.raises(JournalError):
        line(journal, source, board).process("P0", None)
    assert (source.asked, board.key) == ([], None)


def test_events_name_station_run_and_port(journal):
    """Each event has the station, the run and the port."""
    line(journal, CountingSource(), MemoryBoard(imei(1), chip="c1")).process("P0", None)
    events = list(journal.events(imei(1)))
    assert {event.station for event in events} == {"bench-1"}
    assert {event.run for event in events} == {1}
    assert {event.port for event in events} == {"P0"}
    assert json.dumps(events[0].facts) == '{"kind": "esp32", "chip": "c1"}'

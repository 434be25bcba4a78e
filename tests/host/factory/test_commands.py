"""pointctl factory …: plans, batches, figures and exit codes, on a local registry."""

import csv
import io
import json

import pytest

from pointctl.factory.domain.job import Job
from pointctl.factory.domain.journal import Journal
from pointctl.factory.output import report
from pointctl.lists import workbook
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from tests.host.factory_parts import CountingSource, MemoryBoard, add_keyed, line
from tests.host.serving import KEYED, imei


@pytest.fixture
def registry(data):
    """A registry whose product has a batch of five."""
    claim_keys.create_master(data)
    with open_database(data.registry) as database:
        add_keyed(database, 5)
        yield database


@pytest.fixture
def planned(registry, pointctl, tmp_path):
    """A job on that registry."""
    job = tmp_path / "job"
    assert plan(pointctl, job).code == 0
    return job


def plan(pointctl, job, *options):
    """Run pointctl factory plan on the registry."""
    given = ["--product", KEYED, "--source", "registry", "--batch", "A7"]
    return pointctl("factory", "plan", job, *given, *options)


def a_list(path, *rows):
    """Write a file of units."""
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def test_a_plan(planned, pointctl):
    """It is made once, readable by its owner only, and holds no secret."""
    text = (planned / "plan.json").read_text()
    assert json.loads(text)["product"] == KEYED
    assert (planned / "plan.json").stat().st_mode & 0o077 == 0
    again = plan(pointctl, planned)
    assert (again.code, "exists" in again.err) == (3, True)


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (["--count", "6"], 3, "6 units are planned, and 5 keys are left"),
        (["--batch", "A8"], 3, "no batch A8"),
        (["--label-mm", "20x10", "--label-prefix", "https://a.test/"], 1, "too small"),
        (["--label-mm", "40"], 2, "WxH"),
        (["--source", "server"], 1, "--url"),
        (["--source", "list"], 1, "--keys"),
    ],
)
def test_plans_that_will_not_do(registry, pointctl, tmp_path, options, code, why):
    """No job is made, and one line says what is wrong."""
    done = plan(pointctl, tmp_path / "job", *options)
    assert done.code == code
    assert why in done.err
    assert not (tmp_path / "job" / "plan.json").exists()


def test_a_credential(planned, pointctl, monkeypatch):
    """It goes from stdin into a private file; a second one replaces it."""
    monkeypatch.delenv("POINTCTL_FACTORY", raising=False)
    for text in ("pointctl_first", "pointctl_second"):
        monkeypatch.setattr("sys.stdin", io.StringIO(text + "\n"))
        done = pointctl("factory", "credential", planned)
        assert done.code == 0
        assert text not in done.out + done.err
        assert Job(planned).secret() == text
    assert (planned / "credential").stat().st_mode & 0o077 == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert pointctl("factory", "credential", planned).code == 1


def test_a_batch(planned, pointctl, registry, data, tmp_path):
    """Keys are fetched before there are boards, and spent once for a repeated list."""
    units = a_list(tmp_path / "units.txt", *[imei(n) for n in range(3)])
    out = tmp_path / "A7.keys"
    first = pointctl("factory", "batch", planned, units, "--out", out, "--json")
    assert (first.code, first.json["fetched"], first.json["had"]) == (0, 3, 0)
    again = pointctl("factory", "batch", planned, units, "--json")
    assert (again.json["fetched"], again.json["had"]) == (0, 3)
    assert out.stat().st_mode & 0o077 == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    master = claim_keys.open_keys(data)
    assert rows == [
        {"unit": imei(n), "key": master.derive(KEYED, imei(n)).hex()} for n in range(3)
    ]
    balance = pointctl("factory", "balance", planned, "--json").json
    assert [(row["used"], row["left"]) for row in balance] == [(3, 2)]
    low = pointctl("factory", "balance", planned, "--warn", "3")
    assert (low.code, "2 keys are left" in low.err) == (1, True)
    # A board that comes then is burned, and nobody is asked.
    board, source = MemoryBoard(imei(1), product=KEYED), CountingSource()
    with Journal(planned) as journal:
        line(journal, source, board, product=KEYED).process("P0", None)
    assert (board.key, source.asked) == (rows[1]["key"], [])
    assert out.read_text() not in "".join(
        path.read_text(errors="replace") for path in planned.iterdir()
    )


def test_a_batch_that_is_too_long(planned, pointctl, tmp_path):
    """The keys that are left are fetched; the other units are named, exit code 4."""
    units = a_list(tmp_path / "units.txt", *[imei(n) for n in range(7)])
    done = pointctl("factory", "batch", planned, units, "--json")
    assert (done.code, done.json["fetched"]) == (4, 5)
    assert done.json["bad"] == {
        imei(n): "the batch A7 is full: 5 devices" for n in (5, 6)
    }


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([imei(1), imei(1)], "line 2 repeats line 1"),
        (["imei", imei(1)[:-1] + "x"], "line 2"),
        ([], "no unit"),
        (["unit"], "no unit"),
        ([imei(1)[:-1] + str((int(imei(1)[-1]) + 1) % 10)], "check digit"),
    ],
)
def test_lists_that_will_not_do(planned, pointctl, tmp_path, rows, why):
    """The source is not asked before the whole list is right."""
    units = a_list(tmp_path / "units.txt", *rows)
    done = pointctl("factory", "batch", planned, units)
    assert (done.code, why in done.err) == (1, True), done.err
    with Journal(planned) as journal:
        assert list(journal.events()) == []


@pytest.fixture
def worked(planned):
    """A job with one unit done, one refused, one interrupted."""
    source = CountingSource()
    boards = [
        MemoryBoard(imei(0), product=KEYED, chip="c0"),
        MemoryBoard(imei(1), product="pk-other"),
        MemoryBoard(imei(2), product=KEYED, fail=["burn"]),
    ]
    with Journal(planned, "bench-1") as journal:
        journal.begin()
        one = line(journal, source, *boards, product=KEYED)
        for number in range(3):
            one.process(f"P{number}", None)
    return planned


def test_a_report(worked, pointctl):
    """The counts add up; exit code 4 while a unit is not done."""
    done = pointctl("factory", "report", worked, "--json")
    assert done.code == 4
    told = done.json
    assert (told["units"], told["done"], told["spent"]) == (3, 1, 2)
    assert told["not_done"] == {"wrong product": 1, "unplugged": 1}
    text = pointctl("factory", "report", worked).out
    assert "1 done" in text
    assert "keys spent: 2" in text


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_exports(worked, pointctl, tmp_path, kind):
    """Each unit has a row, and an IMEI keeps its digits."""
    path = tmp_path / f"units.{kind}"
    pointctl("factory", "report", worked, "--out", path)
    if kind == "csv":
        rows = list(csv.reader(path.read_text().splitlines()))
    else:
        rows = workbook.read_workbook(path.read_bytes())
    assert tuple(rows[0]) == report.COLUMNS
    assert [row[:3] for row in rows[1:]] == [
        [imei(0), "done", ""],
        [imei(1), "wrong product", "wrong product"],
        [imei(2), "unplugged", "unplugged"],
    ]


def test_a_formula_from_a_board_stays_text(planned, tmp_path):
    """Texts of boards and servers are written to spreadsheets."""
    source = CountingSource()
    board = MemoryBoard(imei(0), product="=HYPERLINK(1)")
    with Journal(planned) as journal:
        line(journal, source, board).process("P0", None)
        report.write_table(journal, tmp_path / "x.csv")
    (_, row) = csv.reader((tmp_path / "x.csv").read_text().splitlines())
    assert row[3].startswith("'=HYPERLINK(1)")


def test_certificates(worked, pointctl, tmp_path):
    """It has a hash that shows changes, and holds no key."""
    papers = tmp_path / "papers"
    pointctl("factory", "report", worked, "--certificates", papers)
    assert {path.name for path in papers.iterdir()} == {
        f"{imei(0)}.json",
        f"{imei(0)}.txt",
    }
    told = json.loads((papers / f"{imei(0)}.json").read_text())
    assert told["sha256"] == report.digest(told)
    assert report.digest(told | {"chip": "c1"}) != told["sha256"]
    assert (told["imei"], told["chip"], told["state"]) == (imei(0), "c0", "done")
    steps = [step["step"] for step in told["steps"]]
    assert steps == ["seen", "asking", "answered", "burning", "burned", "done"]
    with Journal(worked) as journal:
        key = journal.key(imei(0))
        assert told["key_sha256"] == journal.progress(imei(0)).key_hash
    for path in papers.iterdir():
        assert key not in path.read_text()
    unknown = pointctl(
        "factory", "report", worked, "--certificates", papers, "--unit", imei(9)
    )
    assert (unknown.code, "nothing of" in unknown.err) == (1, True)


def test_a_sheet_of_labels(worked, pointctl, tmp_path):
    """It has the units that are done; a file sets the grid."""
    grid = tmp_path / "grid.json"
    grid.write_text('{"columns": 2, "rows": 5}')
    path = tmp_path / "x.pdf"
    done = pointctl("factory", "report", worked, "--labels", path, "--sheet", grid)
    assert "1 labels on 1 pages" in done.err
    assert path.read_bytes().startswith(b"%PDF")
    grid.write_text('{"column": 2}')
    wrong = pointctl("factory", "report", worked, "--labels", path, "--sheet", grid)
    assert wrong.code == 1


def test_one_station_at_a_time(worked, pointctl):
    """A second station on the same job is refused."""
    with Job(worked).locked():
        done = pointctl("factory", "run", worked, "--idle", "1")
    assert (done.code, "another station" in done.err) == (3, True)


def test_an_idle_station(planned, pointctl, tmp_path):
    """It ends by itself after the idle time."""
    port = f"esp32={tmp_path / 'nowhere'}"
    done = pointctl("factory", "run", planned, "--idle", "0.5", "--port", port)
    assert (done.code, done.out) == (0, "0 done; plug boards in\n")
    with Journal(planned) as journal:
        assert [event.step.value for event in journal.events()] == [
            "started",
            "stopped",
        ]


def test_ports(planned, pointctl):
    """An unknown kind of board and too many ports are refused."""
    wrong = pointctl("factory", "run", planned, "--port", "arm=/dev/x", "--idle", "1")
    assert (wrong.code, "no board 'arm'" in wrong.err) == (1, True)
    many = [word for n in range(9) for word in ("--port", f"/dev/x{n}")]
    assert pointctl("factory", "run", planned, *many, "--idle", "1").code == 1

"""The device tests on the real MicroPython, and a runner that cannot lie."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host import vectors
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, UMQTT, micropython, require

RUN = ROOT / "tests/run.py"
LAST_LINE = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")
CLOUDS = ("alibaba", "gizwits")
GOOD = (
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        {}\n"
)


@pytest.fixture(params=["micropython", "cpython"])
def program(request: pytest.FixtureRequest) -> str:
    """Each runtime's program."""
    return sys.executable if request.param == "cpython" else str(micropython())


def run(
    program: str, folder: Path, *paths: object
) -> "subprocess.CompletedProcess[str]":
    """Run tests/run.py in `folder`."""
    return subprocess.run(
        [program, RUN, *map(str, paths)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def counts(done: "subprocess.CompletedProcess[str]") -> tuple[int, int, int]:
    """Passed, failed, skipped, as the last line has them."""
    found = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert found, done.stdout + done.stderr
    passed, failed, skipped = map(int, found.groups())
    return passed, failed, skipped


def test_device_tests(
    program: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """All pass, none is skipped, every file has some, and every vector was run."""
    require("umqtt.simple", UMQTT, "run make test")
    done = run(program, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    passed, failed, skipped = counts(done)
    assert passed > 200
    assert (failed, skipped) == (0, 0), done.stdout
    files = sorted(path.name for path in (ROOT / "tests/device").glob("test_*.py"))
    lines = [line for line in done.stdout.splitlines()[:-1] if line[0] != " "]
    assert [line.split()[0] for line in lines] == files
    assert list(tmp_path.iterdir()) == []
    found = vectors.counts(done.stdout)
    golden = [
        json.loads((ROOT / f"tests/golden/{name}.json").read_text()) for name in CLOUDS
    ]
    kinds = Counter(vector["kind"] for file in golden for vector in file["vectors"])
    assert {kind: sum(pair) for kind, pair in found.items()} == kinds
    runtime = "cpython" if program == sys.executable else "micropython"
    record_property(vectors.VECTORS, {runtime: found})


def test_vector_table() -> None:
    """A column a runtime; a hash that a firmware lacks is not counted as passed."""
    output = "  vectors login: 16 passed, 0 lacking\ntest_x.py 1 passed, 0 failed\n"
    whole = vectors.counts(output + "  vectors password: 9 passed, 0 lacking\n")
    fewer = vectors.counts(output + "  vectors password: 6 passed, 3 lacking\n")
    assert [line.split() for line in vectors.table({"one": whole, "two": fewer})] == [
        ["kind", "one", "two"],
        ["login", "16", "16"],
        ["password", "9", "6", "+", "3", "lacking"],
        ["all", "25", "22", "+", "3", "lacking"],
    ]


def test_a_file_may_report(program: str, tmp_path: Path) -> None:
    """Its lines are printed with a margin, and count as no test."""
    (tmp_path / "test_x.py").write_text(GOOD.format("pass") + "REPORT = ['a: 1']\n")
    done = run(program, tmp_path, "test_x.py")
    assert "  a: 1" in done.stdout.splitlines()
    assert counts(done) == (1, 0, 0)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("pass", (1, 0, 0)),
        ("self.assertEqual(1, 2)", (0, 1, 0)),
        ("self.assertTrue(0)", (0, 1, 0)),
        ("self.assertIs([], [])", (0, 1, 0)),
        ("self.assertIn(1, [])", (0, 1, 0)),
        ("self.assertRaises(ValueError, int, '1')", (0, 1, 0)),
        ("self.assertRaises(ValueError, int, None)", (0, 1, 0)),
        ("self.assertRaises(ValueError, int, 'x')", (1, 0, 0)),
        ("1 / 0", (0, 1, 0)),
        ("raise MemoryError", (0, 1, 0)),
        ("self.fail()", (0, 1, 0)),
        ("self.skipTest('no')", (0, 0, 1)),
    ],
)
def test_counts(
    program: str, tmp_path: Path, statement: str, expected: tuple[int, int, int]
) -> None:
    """Each outcome is counted as what it is, and the exit code says it too."""
    (tmp_path / "test_x.py").write_text(GOOD.format(statement))
    done = run(program, tmp_path, "test_x.py")
    assert counts(done) == expected, done.stdout + done.stderr
    assert done.returncode == (0 if expected == (1, 0, 0) else 1)


def test_sub_tests(program: str, tmp_path: Path) -> None:
    """Each failed part is shown, what follows still runs, the test fails once."""
    body = "for n in (1, 2, 3):\n            with self.subTest(n=n):\n                "
    body += "print('part', n)\n                self.assertEqual(n, 2)"
    (tmp_path / "test_x.py").write_text(GOOD.format(body))
    done = run(program, tmp_path, "test_x.py")
    assert done.stdout.count("part ") == 3
    assert done.stdout.count("FAIL T.test_a") == 2
    assert counts(done) == (0, 1, 0)
    assert done.returncode == 1


@pytest.mark.parametrize(
    "source",
    ["", "x = 1\n", "import nothing_of_that_name\n", "1 / 0\n", "def\n"],
    ids=["empty", "no test", "missing import", "raises", "no Python"],
)
def test_a_file_that_tests_nothing(program: str, tmp_path: Path, source: str) -> None:
    """It is a failure, not nothing."""
    (tmp_path / "test_x.py").write_text(source)
    (tmp_path / "test_y.py").write_text(GOOD.format("pass"))
    done = run(program, tmp_path, "test_x.py", "test_y.py")
    assert counts(done) == (1, 1, 0)
    assert done.returncode == 1


def test_a_file_that_is_not_there(program: str, tmp_path: Path) -> None:
    """A misspelt name fails."""
    assert run(program, tmp_path, "test_nothing.py").returncode == 1


def test_tear_down_follows(program: str, tmp_path: Path) -> None:
    """setUp and tearDown run around each test, also around one that fails."""
    source = "import unittest\nclass T(unittest.TestCase):\n"
    source += "    def setUp(self):\n        print('up')\n"
    source += "    def tearDown(self):\n        print('down')\n"
    source += (
        "    def test_a(self):\n        1 / 0\n    def test_b(self):\n        pass\n"
    )
    (tmp_path / "test_x.py").write_text(source)
    done = run(program, tmp_path, "test_x.py")
    assert done.stdout.count("up\n") == done.stdout.count("down\n") == 2
    assert counts(done) == (1, 1, 0)


def test_runner_is_in_the_dialect(tmp_path: Path) -> None:
    """The oldest MicroPython that we promise can compile the runner and the shims."""
    sources = [RUN, *sorted((ROOT / "tests/shims").glob("*.py"))]
    done = subprocess.run(
        [sys.executable, ROOT / "tools/check_dialect.py", *sources],
        capture_output=True,
        text=True,
        check=False,
    )
    if "is missing" in done.stderr:
        require("mpy-cross 1.13", None, "run make dialect")
    assert done.returncode == 0, done.stdout + done.stderr

"""Who starts a process ends it, also when killed; and a test run sees that it is so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pointctl import certificates, children
from tests import marked as marks
from tests.patience import until
from tests.runtimes import ROOT

LEAVES = """
import subprocess, sys

def test_leaves():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep({seconds})"],
                     start_new_session=True)
    {then}
"""


def started(folder: Path, seconds: int, then: str) -> "subprocess.Popen[str]":
    """A pytest of its own, whose one test leaves a process behind."""
    (folder / "test_leaves.py").write_text(LEAVES.format(seconds=seconds, then=then))
    command = [sys.executable, "-m", "pytest", "-p", "tests.leftovers", "-p"]
    command += ["no:cacheprovider", "-o", "addopts=", "-q", "test_leaves.py"]
    kept = {n: v for n, v in os.environ.items() if n != marks.MARK}
    kept |= {"PYTHONPATH": str(ROOT), "LEFT": str(folder)}
    return subprocess.Popen(
        command, cwd=folder, env=kept, stdout=subprocess.PIPE, text=True
    )


def gone(find: Callable[[], object]) -> None:
    """Wait until nobody is found."""
    deadline = time.monotonic() + 60
    while found := find():
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def of_test(folder: Path) -> dict[int, str]:
    """Whoever was started by the pytest there."""
    return marks.carriers(str(folder), "LEFT")


def test_a_process_that_is_left_behind_fails_the_run(tmp_path: Path) -> None:
    """Its test has passed; its command is shown, and it is ended."""
    with started(tmp_path, 300, "pass") as run:
        printed, _ = run.communicate(timeout=120)
    assert "1 passed" in printed
    assert run.returncode == 1, printed
    assert "time.sleep(300)" in printed
    gone(lambda: of_test(tmp_path))


def test_a_process_that_ends_soon_is_none(tmp_path: Path) -> None:
    """The run waits for it."""
    with started(tmp_path, 1, "pass") as run:
        printed, _ = run.communicate(timeout=120)
    assert run.returncode == 0, printed
    assert "left behind" not in printed


def test_a_run_that_is_killed_leaves_none(tmp_path: Path) -> None:
    """kill -9: the guard ends what the tests started."""
    with started(tmp_path, 300, "print(flush=True); sys.stdin.read()") as run:
        deadline = time.monotonic() + 60
        while not any("time.sleep(300)" in one for one in of_test(tmp_path).values()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.kill()
        run.communicate(timeout=60)
    gone(lambda: of_test(tmp_path))


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment; in the end nobody has it any more."""
    yield {**os.environ, "LEFT": str(tmp_path)}
    gone(lambda: of_test(tmp_path))


STARTER = """
import sys, threading, time
from pointctl.children import Child

def start():
    Child([sys.executable, "-c", "import time; time.sleep(300)"])

if __name__ == "__main__":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    time.sleep(0.5)
    print("started", flush=True)
    time.sleep(300)
"""


def test_a_child_ends_when_its_parent_is_killed(
    marked: dict[str, str], tmp_path: Path
) -> None:
    """Nobody was there to end it. It outlives the thread that asked for it."""
    if not children.binder():
        pytest.skip("this system has no setpriv that can do it")
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], env=marked, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        try:
            assert parent.stdout.readline() == b"started\n"
            until(lambda: len(of_test(tmp_path)) == 2)
        finally:
            parent.kill()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name
)
def test_the_bare_endpoint_leaves_none(
    number: signal.Signals, marked: dict[str, str], tmp_path: Path
) -> None:
    """The bench's second process, and multiprocessing's tracker."""
    files = certificates.init(tmp_path / "ca")
    command: list[str | Path]
    command = [sys.executable, "-m", "bench.bare", files.server, files.server_key, "2"]
    with subprocess.Popen(
        command, cwd=ROOT, env=marked, stdout=subprocess.PIPE
    ) as bare:
        assert bare.stdout
        try:
            assert int(bare.stdout.readline()) > 0
            until(lambda: len(of_test(tmp_path)) == 3)
        except BaseException:
            bare.kill()
            raise
        bare.send_signal(number)

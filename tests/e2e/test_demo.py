"""The demo as a user runs it: real processes, none of them left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import pytest
from rich.console import Console

from pointctl.broker import find_mosquitto
from pointctl.children import binder
from pointctl.commands import demo as commands
from pointctl.demo import scenario, system
from pointctl.demo.timeline import Timeline
from tests.marked import carriers
from tests.patience import PATIENCE_S
from tests.runtimes import MICROPYTHON, ROOT, need, require, run_make

_MARK = "POINTACCESS_TEST_MARK"


@pytest.fixture
def marked() -> Iterator[dict[str, str]]:
    """An environment to run the demo in; whoever still carries its mark was left."""
    require("MicroPython", MICROPYTHON, "run make test")
    mark = uuid.uuid4().hex
    yield {**os.environ, _MARK: mark}
    assert carriers(mark, _MARK) == {}


def test_json(marked: dict[str, str]) -> None:
    """make demo ARGS=--json prints one object: from the server, then from flash."""
    run = run_make("demo", "ARGS=--json", env=marked, timeout_s=PATIENCE_S)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["ok"] is True
    assert told["runtime"].startswith("MicroPython 1.")
    assert told["heap_bytes"] <= 128 * 1024
    assert told["broker"].startswith("mosquitto" if find_mosquitto() else "amqtt")
    first, second = told["boots"]
    assert (first["code"], first["source"]) == ("00000", "server")
    assert first["provision_requests"] >= 1
    assert (second["code"], second["source"]) == ("00000", "flash")
    assert second["provision_requests"] == 0
    for boot in (first, second):
        assert 0 < boot["fetched_ms"] < boot["connected_ms"]
        assert boot["published"] == boot["received"] == 1


def test_what_people_see(marked: dict[str, str]) -> None:
    """A table that fits into 80 columns, and then what to do next."""
    run = subprocess.run(
        [sys.executable, "-m", "pointctl", "demo"],
        env={**marked, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    *_, shown = run.stdout.partition("Summary")
    assert "…" not in shown
    assert all(len(line) <= 80 for line in shown.splitlines()[1:])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    step = re.search(r"^  (pointctl .*)$", shown, re.M)
    assert step
    assert re.search(f"^## Run the server\n+```sh\n{step[1]}\n", readme, re.M)


def test_the_table_fits(capsys: pytest.CaptureFixture[str]) -> None:
    """Also on a machine on which everything takes seconds."""
    boot = scenario.Boot("00000", 12, 12345.6, 12345.6, 1, 1, "server")
    runtime, heap, broker = "MicroPython 1.25.0", 131072, "mosquitto 2.0.11"
    outcome = scenario.DemoOutcome(runtime, heap, broker, "490154203237518", [boot] * 2)
    Console(width=80).print(commands.summary(outcome))
    assert "…" not in capsys.readouterr().out


def test_gizwits(marked: dict[str, str]) -> None:
    """A key that was fetched and burned: the sandbox of the cloud, then flash."""
    run = subprocess.run(
        [sys.executable, "-m", "pointctl", "demo", "--source=gizwits", "--json"],
        env=marked,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["ok"] is True
    assert told["broker"].startswith("amqtt")
    asked = [boot["provision_requests"] for boot in told["boots"]]
    assert asked == [1, 0]


def test_ctrl_c(marked: dict[str, str]) -> None:
    """Ctrl-C in the middle of it ends everything and exits with 130."""
    with subprocess.Popen(
        [sys.executable, "-m", "pointctl", "demo"],
        env=marked,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "power on" in line:
                demo.send_signal(signal.SIGINT)
                break
        said, _ = demo.communicate(timeout=PATIENCE_S)
    assert demo.returncode == 130
    assert "Traceback" not in said


def test_killed(marked: dict[str, str]) -> None:
    """kill -9 of it ends its server, its broker and its board, too."""
    if not binder():
        pytest.skip("this system has no setpriv that can do it")
    with subprocess.Popen(
        [sys.executable, "-m", "pointctl", "demo"],
        env=marked,
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "power on" in line:
                demo.kill()
                break
        demo.communicate(timeout=30)
    deadline = time.monotonic() + 30
    while carriers(marked[_MARK], _MARK) and time.monotonic() < deadline:
        time.sleep(0.05)


def test_embedded_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mosquitto the demo runs on the embedded broker, and shows the same."""
    require("MicroPython", MICROPYTHON, "run make test")
    monkeypatch.setattr(system, "find_mosquitto", lambda: None)
    outcome = scenario.play(Timeline(None))
    assert outcome.ok
    assert outcome.broker.startswith("amqtt")


def test_mosquitto_is_used_where_it_is() -> None:
    """CI has mosquitto, so the runs above were with the real one."""
    need("mosquitto")

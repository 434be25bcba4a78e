"""The demo as a user runs it: real processes, none of them left behind."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointctl.broker import find_mosquitto
from pointctl.demo import scenario, stage
from pointctl.demo.timeline import Timeline
from tests.patience import PATIENCE_S
from tests.runtimes import MICROPYTHON, ROOT, require

_MARK = "POINTACCESS_TEST_MARK"


@pytest.fixture
def marked() -> Iterator[dict[str, str]]:
    """An environment to run the demo in; whoever still carries its mark was left."""
    require("MicroPython", MICROPYTHON, "run make test")
    mark = uuid.uuid4().hex
    yield {**os.environ, _MARK: mark}
    assert _carriers(mark) == []


def _carriers(mark: str) -> list[str]:
    """The command lines of all processes that run in the marked environment."""
    wanted = f"{_MARK}={mark}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text())
        except OSError:  # it ended meanwhile
            continue
    return found


def test_json(marked: dict[str, str]) -> None:
    """make demo ARGS=--json prints one object: from the server, then from flash."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        marked.pop(name, None)  # the make that runs the tests is none of its business
    run = subprocess.run(
        ["make", "demo", "ARGS=--json"],
        cwd=ROOT,
        env=marked,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
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


def test_embedded_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mosquitto the demo runs on the embedded broker, and shows the same."""
    require("MicroPython", MICROPYTHON, "run make test")
    monkeypatch.setattr(stage, "find_mosquitto", lambda: None)
    outcome = scenario.play(Timeline(None))
    assert outcome.ok
    assert outcome.broker.startswith("amqtt")


def test_mosquitto_is_used_where_it_is() -> None:
    """CI has mosquitto, so the runs above were with the real one."""
    require("mosquitto", find_mosquitto(), "apt-get install mosquitto")

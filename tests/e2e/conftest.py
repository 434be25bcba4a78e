"""Runtimes and certificates that the end-to-end tests share."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from pointctl.broker import process as broker_process
from pointctl.demo import process as demo_process
from tests import runtimes
from tests.e2e import hostile
from tests.forked import instead_of
from tests.patience import PATIENCE_S

CLIENT = Path(__file__).with_name("hostile_client.py")
RUNTIMES = ("micropython", "cpython")


@dataclass
class Outcome:
    """What a board's process said."""

    results: dict[str, dict[str, Any]]
    output: str


def program(runtime: str) -> list[str]:
    """The command that runs a device script on `runtime`."""
    if runtime == "micropython":
        return [str(runtimes.micropython())]
    return [sys.executable, "-W", "error"]


@pytest.fixture
def forked() -> Iterator[None]:
    """Servers and brokers of pointctl that the demo's stage starts are forked."""
    with instead_of(broker_process, demo_process):
        yield


@pytest.fixture(scope="session", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime in turn."""
    program(request.param)
    return request.param


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The certificate authority that boards trust."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate as a board has it: DER."""
    path = tmp_path_factory.mktemp("ca") / "ca.der"
    path.write_bytes(hostile.der(authority))
    return path


Board = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def start_board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Starts a process that makes (name, url, timeout) requests one after another."""

    def start(
        runtime: str,
        requests: Iterable[tuple[str, str, float]],
        ca: Path | None,
        pins: Iterable[str] = (),
    ) -> "subprocess.Popen[str]":
        named = [{"name": n, "url": u, "timeout": t} for n, u, t in requests]
        job = {
            "root": str(runtimes.ROOT),
            "ca": ca and str(ca),
            "pins": list(pins),
            "requests": named,
        }
        folder = tmp_path_factory.mktemp("board")
        (folder / "job.json").write_text(json.dumps(job))
        return subprocess.Popen(
            [*program(runtime), CLIENT, "job.json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def outcome(process: "subprocess.Popen[str]", timeout_s: float = PATIENCE_S) -> Outcome:
    """Wait for a board's process and read what it said."""
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    lines = [line for line in output.splitlines() if line.startswith("RESULT ")]
    results = [json.loads(line.removeprefix("RESULT ")) for line in lines]
    assert process.returncode == 0, output
    return Outcome({result["name"]: result for result in results}, output)

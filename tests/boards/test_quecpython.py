"""firmware/quecpython keeps the contract on old and new firmware with its faults."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.boards import runner
from tests.boards.runner import IMEI, RUNTIMES
from tests.e2e import hostile
from tests.runtimes import ROOT

FIRMWARE = "firmware/quecpython"
SHIMS = ROOT / "tests/shims"
AGES = ("old", "new")
each_age = pytest.mark.parametrize("age", AGES)
each_runtime = pytest.mark.parametrize("runtime", RUNTIMES)


def play(
    runtime: str,
    age: str,
    servers: runner.Servers,
    flash: Path,
    script: Mapping[str, Any] | None = None,
    **more: Any,
) -> Any:
    """Run the contract, or other `tests`, on a module of that age."""
    played = flash / "script.json"
    played.write_text(json.dumps({"pace": 0.05} | dict(script or {})))
    on_vm = runtime == "micropython"
    names = [f"quecpython_{age}", "quecpython", "quecpython_securedata"]
    environment = more.pop("more", {}) | {"SHIM_SCRIPT": str(played)}
    return runner.run(
        runtime,
        FIRMWARE,
        servers,
        flash,
        shims=[SHIMS / name for name in names + ["quecpython_prelude"] * on_vm],
        prelude="quecpython" if on_vm else "",
        more=environment,
        **more,
    )


@each_age
@each_runtime
def test_contract(
    runtime: str, age: str, servers: runner.Servers, tmp_path: Path
) -> None:
    """Every fact holds on every runtime."""
    runner.holds(play(runtime, age, servers, tmp_path), servers)


@pytest.mark.parametrize(
    "script",
    [
        {"checkNet": "module", "call": 1, "zone": 0, "clock": 0},
        {"checkNet": "ready", "zone": -5, "rtc": "utc", "nitz": 1800000000},
        {"getTimeZone": False, "fin": None, "ca": True},
        {"getTimeZone": False, "call": 0, "network": 3},
    ],
    ids=["2021", "2023", "between", "offline"],
)
@each_age
def test_contract_of_other_firmware(
    age: str, script: dict[str, Any], servers: runner.Servers, tmp_path: Path
) -> None:
    """Features vary independently of the version; so does the network."""
    done = play("micropython", age, servers, tmp_path, script)
    if script.get("call") == 0:
        assert done.stdout.count("E14 OFFLINE") == 1  # test_verifies asks to be online
        assert done.stdout.splitlines()[-1].startswith(f"{runner.FACTS - 1} passed")
        return
    runner.holds(done, servers)


@pytest.mark.parametrize("imei", [None, "", IMEI[:14] + "0", IMEI + "12", "-1"])
@each_age
def test_imei(
    age: str, imei: str | None, servers: runner.Servers, tmp_path: Path
) -> None:
    """The number -1, junk, and the 17 characters of its buffer."""
    done = play("micropython", age, servers, tmp_path, imei=imei)
    runner.holds(done, servers)


@pytest.mark.parametrize(("text", "claim_key"), [("ab" * 32, "good"), ("ab", "bad")])
@each_age
def test_claim_key(
    age: str, text: str, claim_key: str, servers: runner.Servers, tmp_path: Path
) -> None:
    """claim.key, as on every board."""
    (tmp_path / "claim.key").write_text(text)
    done = play("micropython", age, servers, tmp_path, claim_key=claim_key)
    runner.holds(done, servers)


@each_age
@each_runtime
def test_facts(runtime: str, age: str, servers: runner.Servers, tmp_path: Path) -> None:
    """The firmware has its faults, and the adapter works around them."""

    def twice(sock: Any, seen: hostile.Seen) -> None:
        """After a failed handshake it sends in clear text on the same connection."""
        data = sock.recv(4096)
        seen.requests.append(data)
        if data[:1] == b"\x16":
            sock.sendall(b"\x15\x03\x03\0\2\2\x28")
            data = sock.recv(4096)
            seen.requests.append(data)
        if data:
            sock.sendall(hostile.http(b'{"code":"40001"}'))

    with hostile.listening(twice) as listener:
        done = play(
            runtime,
            age,
            servers,
            tmp_path,
            tests="tests/boards/quecpython_facts.py",
            more={"PLAIN_PORT": str(listener.port)},
        )
    assert done.returncode == 0, done.stdout + done.stderr
    heard = listener.seen.application_bytes
    # The server received clear text from old firmware's request, and none from ours.
    assert (b"in-clear" in heard) == (age == "old")
    assert servers.leaked() == b""

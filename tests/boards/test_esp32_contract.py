"""firmware/esp32 keeps the contract: with old and new PPP, with Wi-Fi, with NVS."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.boards import runner
from tests.boards.runner import IMEI, RUNTIMES
from tests.runtimes import ROOT

FIRMWARE = "firmware/esp32"
SHIMS = ROOT / "tests/shims/esp32"
MODEM = {"tx": 17, "rx": 16}


def holds(
    runtime: str,
    servers: runner.Servers,
    flash: Path,
    *,
    wired: dict[str, Any] | None = None,
    script: dict[str, Any] | None = None,
    imei: str | None = IMEI,
    claim_key: str = "",
) -> None:
    """Run the contract on a board with this board.json and this modem."""
    (flash / "board.json").write_text(json.dumps({"modem": MODEM} | (wired or {})))
    played = flash / "script.json"
    played.write_text(json.dumps(script or {}))
    done = runner.run(
        runtime,
        FIRMWARE,
        servers,
        flash,
        imei=imei,
        claim_key=claim_key,
        shims=[SHIMS],
        more={"SHIM_SCRIPT": str(played)},
    )
    runner.holds(done, servers)


@pytest.mark.parametrize(
    ("runtime", "kind", "api"),
    [
        ("micropython", "sim7600", "old"),
        ("micropython", "a7670", "new"),
        ("micropython", "ec25", "new"),
        ("cpython", "ec25", "old"),
        ("cpython", "sim7600", "new"),
    ],
)
def test_modems(
    runtime: str, servers: runner.Servers, tmp_path: Path, kind: str, api: str
) -> None:
    """With every modem, and with both PPPs of MicroPython."""
    clock = "26/11/22,16:30:12+32"
    script = {"kind": kind, "api": api, "clock": clock}
    holds(runtime, servers, tmp_path, script=script)


@pytest.mark.parametrize("imei", [None, IMEI[:14] + "0"])
def test_imei(servers: runner.Servers, tmp_path: Path, imei: str | None) -> None:
    """A modem without an IMEI, or with a wrong one."""
    holds("micropython", servers, tmp_path, imei=imei)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_wifi(runtime: str, servers: runner.Servers, tmp_path: Path) -> None:
    """With Wi-Fi, and with the watchdog."""
    ap = {"ssid": "a net", "password": "a word of eight"}
    wired = {"wifi": ap, "watchdogS": 60}
    holds(runtime, servers, tmp_path, wired=wired, script={"wifi": ap})


@pytest.mark.parametrize(
    ("text", "claim_key"), [("ab" * 32, "good"), ("ab" * 31, "bad"), (None, "bad")]
)
@pytest.mark.parametrize("home", ["file", "nvs"])
def test_claim_key(
    servers: runner.Servers,
    tmp_path: Path,
    home: str,
    text: str | None,
    claim_key: str,
) -> None:
    """The claim key in its file, or moved to NVS."""
    if text:
        (tmp_path / "claim.key").write_text(text)
    wired = {"claimKey": home}
    holds("micropython", servers, tmp_path, wired=wired, claim_key=claim_key)
    moved = home == "nvs" and claim_key == "good"
    assert (tmp_path / "claim.key").exists() is (text is not None and not moved)
    assert (tmp_path / ".nvs.json").exists() is moved

"""The ESP32's adapter over a real tty, at a modem that outlives the board."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boards.modem import SHIMS, PtyModem, pty_modem
from tests.boards.runner import IMEI, RUNTIMES
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, micropython

ONLINE = """
import sys
import board, network
print("imei", board.imei())
board.online(40)
print("online")
sys.stdin.readline()
while network.up():
    pass
board.online(40)
print("again")
sys.stdin.readline()
"""


@contextlib.contextmanager
def boot(
    runtime: str, modem: PtyModem, flash: Path
) -> Iterator["subprocess.Popen[str]"]:
    """A board at that modem; leaving the block unplugs the board, not the modem."""
    (flash / "board.json").write_text('{"modem": {"tx": 17, "rx": 16}}')
    (flash / "script.json").write_text(json.dumps({"uart": modem.path}))
    paths = ":".join(map(str, (SHIMS, ROOT / "firmware/esp32", ROOT)))
    board = subprocess.Popen(
        [sys.executable if runtime == "cpython" else micropython(), "-c", ONLINE],
        cwd=flash,
        env=os.environ
        | {"PYTHONPATH": paths, "MICROPYPATH": paths + ":.frozen"}
        | {"SHIM_SCRIPT": "script.json", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield board
    finally:
        board.kill()
        board.communicate()


def says(board: "subprocess.Popen[str]", line: str) -> None:
    """Check the next line that it prints."""
    assert board.stdout
    assert board.stdout.readline() == line + "\n"


def goes_on(board: "subprocess.Popen[str]") -> None:
    """Press return."""
    assert board.stdin
    board.stdin.write("\n")
    board.stdin.flush()


def until(modem: PtyModem, state: str) -> None:
    """Wait until the modem reaches this state."""
    deadline = time.monotonic() + PATIENCE_S
    while modem.state != state:
        assert time.monotonic() < deadline, modem.log
        time.sleep(0.01)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_reset_under_ppp(runtime: str, tmp_path: Path) -> None:
    """After a reset the board finds its modem in data mode, and ends that."""
    with pty_modem(kind="sim7600", imei=IMEI, garbage="00ff") as modem:
        for life in (1, 2):
            with boot(runtime, modem, tmp_path) as board:
                says(board, f"imei {IMEI}")
                says(board, "online")
                assert modem.state == "data"
            assert modem.state == "data"  # the modem did not notice the reset
            assert modem.log.count("ATH") == life - 1
            assert modem.log.count("ATD*99#") == life


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_hang_up(runtime: str, tmp_path: Path) -> None:
    """After the network ends a connection, the next online() dials again."""
    with (
        pty_modem(kind="a7670", imei=IMEI, chunk=3) as modem,
        boot(runtime, modem, tmp_path) as board,
    ):
        says(board, f"imei {IMEI}")
        says(board, "online")
        modem.hang_up()
        until(modem, "command")
        goes_on(board)
        says(board, "again")
        assert modem.state == "data"
        assert modem.log.count("ATD*99#") == 2

"""The ESP32's adapter at a modem with a life of its own, over a real tty."""

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
    """A board on that modem; to leave is to pull its plug, not the modem's."""
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
    """The next line that it prints is that."""
    assert board.stdout
    assert board.stdout.readline() == line + "\n"


def goes_on(board: "subprocess.Popen[str]") -> None:
    """Press return."""
    assert board.stdin
    board.stdin.write("\n")
    board.stdin.flush()


def until(modem: PtyModem, state: str) -> None:
    """Wait for the modem to get there."""
    deadline = time.monotonic() + PATIENCE_S
    while modem.state != state:
        assert time.monotonic() < deadline, modem.log
        time.sleep(0.01)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_reset_under_ppp(runtime: str, tmp_path: Path) -> None:
    """A board that is reset finds its modem in data mode, and gets it out of there."""
    with pty_modem(kind="sim7600", imei=IMEI, garbage="00ff") as modem:
        for life in (1, 2):
            with boot(runtime, modem, tmp_path) as board:
                says(board, f"imei {IMEI}")
                says(board, "online")
                assert modem.state == "data"
            assert modem.state == "data"  # nobody has told it
            assert modem.log.count("ATH") == life - 1
            assert modem.log.count("ATD*99#") == life


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_hang_up(runtime: str, tmp_path: Path) -> None:
    """A connection that the network ends is dialled again when somebody wants it."""
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

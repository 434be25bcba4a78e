"""The fake board simulates each requested fault, and leaves nothing behind."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from tests.fakeboard.board import Faults, fake_board
from tests.patience import PATIENCE_S

FULL = """
try:
    with open('/file', 'wb') as file:
        for _ in range(10):
            file.write(bytes(1000))
except OSError as error:
    print('errno', error.args[0])
"""


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    folder = tmp_path / "flash"
    folder.mkdir()
    (folder / "main.py").write_text("print('main', 'runs')\n")
    return folder


def run(port: serial.Serial, source: str) -> None:
    """Start a program at the raw REPL; its output is the board's answer."""
    port.write(b"\r\x03\r\x01" + source.encode() + b"\x04")


def heard(port: serial.Serial, until: Callable[[bytes], bool]) -> bytes:
    """Read until it is enough, for at most 30 s."""
    port.timeout = 0.1
    data = b""
    deadline = time.monotonic() + PATIENCE_S
    while not until(data) and time.monotonic() < deadline:
        data += port.read(256)
    return data


def children() -> list[str]:
    """Return the processes that this one has started; other tests have more."""
    tasks = Path("/proc/self/task").glob("*/children")
    return sorted(" ".join(task.read_text() for task in tasks).split())


@pytest.mark.parametrize("kind", ["esp32", "quecpython", "unix"])
def test_leaves_nothing(flash: Path, kind: str) -> None:
    """No process, descriptor, thread or port is left, also after unplugging."""
    before = sorted(os.listdir("/proc/self/fd"))
    threads, others = threading.active_count(), children()
    for unplugged in (False, True):
        with fake_board(kind, flash) as board:
            with serial.Serial(board.port) as port:
                run(port, "while True: pass")
            if unplugged:
                board.unplug()
            place = Path(board.port).parent
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert threading.active_count() == threads
    assert not place.exists()
    assert children() == others


def test_a_test_that_fails(flash: Path) -> None:
    """The board ends with its test."""
    with pytest.raises(ZeroDivisionError), fake_board("esp32", flash) as board:
        raise ZeroDivisionError
    assert not Path(board.port).is_symlink()


def test_unplugged(flash: Path) -> None:
    """The port disappears, the host gets errors, the flash stays; it can boot again."""
    with fake_board("esp32", flash) as board, serial.Serial(board.port) as port:
        board.wait_for("main runs")
        run(port, "open('/kept', 'w').write('x')\nprint('written')")
        board.wait_for("written\r\n\x04")
        board.unplug()
        assert not os.path.lexists(board.port)
        with pytest.raises(serial.SerialException):
            heard(port, lambda data: False)
        said = board.output
        board.plug()
        board.wait_for(said + "rst:")
        assert (flash / "kept").read_text() == "x"
        with serial.Serial(board.port) as again:
            run(again, "print('there', 'again')")
            board.wait_for("there again")


def test_unplugged_after(flash: Path) -> None:
    """It strikes at the requested byte; earlier bytes were received."""
    faults = Faults(unplug_after=4 + len("print('one', 1)\x04"))
    with fake_board("esp32", flash, faults=faults) as board:
        with serial.Serial(board.port) as port:
            run(port, "print('one', 1)\x04print('two', 2)")
            deadline = time.monotonic() + PATIENCE_S
            while os.path.lexists(board.port):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert "two 2" not in board.output
        faults.unplug_after = None
        board.plug()
        assert os.path.lexists(board.port)


def test_mute(flash: Path) -> None:
    """The board neither sends nor receives any more; its program goes on."""
    (flash / "main.py").write_text("while True:\n    print('x')\n")
    with fake_board("esp32", flash) as board, serial.Serial(board.port) as port:
        assert b"x\r\n" in heard(port, lambda data: b"x\r\n" in data)
        board.mute()
        heard(port, lambda data: not data)
        port.reset_input_buffer()
        port.timeout = 0.3
        assert port.read() == b""
        board.mute(False)
        assert b"x\r\n" in heard(port, lambda data: b"x\r\n" in data)


def test_deaf(flash: Path) -> None:
    """For a while after a start, Ctrl-C has no effect."""
    (flash / "main.py").write_text("print('runs')\nwhile True: pass\n")
    faults = Faults(deaf_s=3600)
    with fake_board("esp32", flash, faults=faults) as board:
        board.wait_for("runs")
        with serial.Serial(board.port) as port:
            port.write(b"\x03")
            port.timeout = 0.3
            port.read(1000)
            assert "KeyboardInterrupt" not in board.output
            faults.deaf_s = 0
            port.write(b"\x03")
            board.wait_for("KeyboardInterrupt")


@pytest.mark.parametrize("kind", ["esp32", "quecpython"])
def test_flash_full(flash: Path, kind: str) -> None:
    """A full flash raises ENOSPC after the bytes that fit; statvfs agrees."""
    (flash / "main.py").unlink()
    with fake_board(kind, flash, faults=Faults(flash_bytes=8192)) as board:
        with serial.Serial(board.port) as port:
            ask = "import uos\nprint(uos.statvfs('/')[:4])\n"
            run(port, ask + FULL + ask)
            board.wait_for("errno 28\r\n(4096, 4096, 2, 0)\r\n\x04")
        assert "(4096, 4096, 2, 2)" in board.output
    assert (flash / "file").stat().st_size == 8192


def test_garbage(flash: Path) -> None:
    """Noise is sent at the start, and later on request."""
    noise = b"\xff\xfe\x00AT\r\n"
    with fake_board("esp32", flash, faults=Faults(garbage=noise)) as board:
        board.wait_for("main runs")
        assert board.output.index("\x00AT") < board.output.index("main runs")
        with serial.Serial(board.port) as port:
            time.sleep(0.1)
            board.say(b"+QIND: out of turn\r\n")
            assert b"out of turn" in heard(port, lambda data: b"turn" in data)


def test_slow(flash: Path) -> None:
    """A line of 200 bytes a second takes a second for 200 bytes."""
    faults = Faults(bytes_per_s=200)
    with fake_board("esp32", flash, faults=faults) as board:
        board.wait_for(">>> ")
        with serial.Serial(board.port) as port:
            begun = time.monotonic()
            run(port, "print('y' * 200)")
            assert b"y" * 200 in heard(port, lambda data: b"y" * 200 in data)
            assert time.monotonic() - begun > 1


def test_nobody_listens(flash: Path) -> None:
    """Output while no program has the port open is lost, and blocks nothing."""
    (flash / "main.py").write_text(
        "for _ in range(300): print('z' * 1000)\nprint('all', 'said')\n"
    )
    with fake_board("esp32", flash) as board:
        board.wait_for("all said")
        with serial.Serial(board.port) as port:
            run(port, "print('now')")
            assert b"zz" not in heard(port, lambda data: b"now\r\n" in data)


def test_a_board_that_does_not_start(
    flash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in a shim makes the test fail, with the traceback."""
    from tests.fakeboard import chip

    broken = flash.parent / "broken.py"
    broken.write_text("import nothing_of_that_name\n")
    monkeypatch.setattr(chip, "VM", broken)
    with (
        pytest.raises(RuntimeError, match="nothing_of_that_name"),
        fake_board("esp32", flash) as board,
    ):
        board.wait_for("nothing_of_that_name")

"""Links to boards: the same tests for mpremote's transport and for our own."""

import errno
import hashlib
import os
import pty
import subprocess
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import serial

from pointctl.boards import mpremote_link, quecpython_link, repl_link, serial_line
from pointctl.boards.link import BoardError, Link, LinkError
from tests.fakeboard.board import FakeBoard, Faults, fake_board
from tests.patience import PATIENCE_S
from tests.runtimes import MPY_CROSS_1_13, ROOT, require

LOOP = "import utime\nprint('main', 'runs')\nwhile True:\n    utime.sleep(1)\n"
BUSY = "print('main', 'runs')\nwhile True:\n    pass\n"
SOON_S = 0.5  # with those that never will


@dataclass(frozen=True)
class Way:
    """A kind of board, its link, and the folder of its programs."""

    kind: str
    open_link: Callable[..., Link]
    root: str = "/"


WAYS = {
    "esp32": Way("esp32", mpremote_link.open_link),
    "unix": Way("unix", mpremote_link.open_link),
    "quecpython": Way("quecpython", quecpython_link.open_link, "/usr/"),
    "any, by our own": Way("esp32", quecpython_link.open_link),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.fixture
def programs(way: Way, tmp_path: Path) -> Path:
    """The folder of main.py in the flash, with a main.py that never ends."""
    folder = tmp_path / "flash" / way.root.strip("/")
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(LOOP)
    return folder


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def board(
    way: Way, programs: Path, tmp_path: Path, faults: Faults
) -> Iterator[FakeBoard]:
    with fake_board(way.kind, tmp_path / "flash", faults=faults) as board:
        yield board


@pytest.fixture
def link(way: Way, board: FakeBoard) -> Iterator[Link]:
    with way.open_link(board.port, timeout_s=PATIENCE_S) as link:
        yield link


# What works


def test_run(link: Link, board: FakeBoard) -> None:
    """It returns what a program prints, as text; memory stays between programs."""
    assert link.port == board.port
    assert link.run("a = 6\nprint('one')\nprint('zwölf', end='')") == "one\nzwölf"
    assert link.run("print(a * 7)") == "42\n"
    assert link.run("") == ""
    assert link.run("x = '" + "y" * 5000 + "'\nprint(len(x))") == "5000\n"


def test_main_is_interrupted(link: Link, board: FakeBoard) -> None:
    """Opening a link stops a main.py that would never end."""
    assert link.run("print('free')") == "free\n"


def test_errors(link: Link) -> None:
    """An error of a program is a BoardError with its last line; the link goes on."""
    with pytest.raises(BoardError, match=r"says: ZeroDivisionError: divide by zero$"):
        link.run("print('before')\n1 / 0")
    with pytest.raises(BoardError, match="SyntaxError"):
        link.run("not a program")
    assert link.run("print(1)") == "1\n"


@pytest.mark.parametrize("size", [0, 1, 767, 768, 769, 20_000])
def test_files(link: Link, programs: Path, way: Way, size: int) -> None:
    """Files are copied exactly both ways; the board's hash is right."""
    data = os.urandom(size)
    path = way.root + "file"
    told: list[tuple[int, int]] = []
    link.write(path, data, lambda written, total: told.append((written, total)))
    assert (programs / "file").read_bytes() == data
    assert link.read(path) == data
    assert link.sha256(path) == hashlib.sha256(data).hexdigest()
    assert [total for _, total in told] == [size] * len(told)
    assert [written for written, _ in told] == sorted({written for written, _ in told})
    assert not size or told[-1] == (size, size)


def test_overwriting(link: Link, programs: Path, way: Way) -> None:
    """A shorter file replaces a longer one completely."""
    link.write(way.root + "file", b"long" * 500)
    link.write(way.root + "file", b"short")
    assert (programs / "file").read_bytes() == b"short"


def test_names(link: Link, programs: Path, way: Way) -> None:
    """Names may have quotes, spaces and letters of any language."""
    name = "a 'b' \"c\" \\ ü"
    link.write(way.root + name, b"x")
    assert (programs / name).read_bytes() == b"x"
    assert link.read(way.root + name) == b"x"


def test_no_file(link: Link, way: Way) -> None:
    """A missing file has no hash; reading it, or writing into no folder, fails."""
    assert link.sha256(way.root + "absent") is None
    assert link.sha256(way.root.rstrip("/") or "/") is None
    with pytest.raises(BoardError, match=r"absent: .*ENOENT"):
        link.read(way.root + "absent")
    with pytest.raises(BoardError, match=r"absent/file: .*ENOENT"):
        link.write(way.root + "absent/file", b"x")


def test_reset(link: Link, board: FakeBoard, programs: Path) -> None:
    """main.py runs again with new memory, and its lines are received."""
    program = "import utime\nwhile True:\n    print('tick')\n    utime.sleep(0.1)\n"
    (programs / "main.py").write_text(program)
    link.run("kept = 1")
    resets = board.resets
    link.reset()
    assert "tick" in link.lines(60)
    assert board.resets == resets + 1


def test_lines(link: Link, programs: Path) -> None:
    """They are received until the timeout; an unfinished line comes last."""
    program = "import utime\nutime.sleep(1)\nprint('one')\nprint('two', end='')\n"
    (programs / "main.py").write_text(program + "utime.sleep(3600)\n")
    for seconds in (3, 30, PATIENCE_S):  # how long it takes to start is not judged
        link.reset()
        heard = list(link.lines(seconds))
        if "two" in heard:
            break
    assert heard[-2:] == ["one", "two"]


def test_closing(way: Way, board: FakeBoard) -> None:
    """Closing frees the port; the next link finds the same memory."""
    with way.open_link(board.port, timeout_s=PATIENCE_S) as link:
        link.run("kept = 1")
    with way.open_link(board.port, timeout_s=PATIENCE_S) as link:
        assert link.run("print(kept)") == "1\n"
    link.close()


# What goes wrong


def test_no_port(way: Way, programs: Path, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"there is no port .*pointctl boards list"):
        way.open_link(str(tmp_path / "absent"), timeout_s=PATIENCE_S)


def test_busy_port(way: Way, board: FakeBoard) -> None:
    with (
        serial.Serial(board.port, exclusive=True),
        pytest.raises(LinkError, match="in use by another program"),
    ):
        way.open_link(board.port, timeout_s=PATIENCE_S)


def test_forbidden_port(way: Way, board: FakeBoard, monkeypatch) -> None:
    """Root may open any port, so the system's error is simulated."""
    real = os.open

    def refusing(path: str, *arguments: int) -> int:
        if path == board.port:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(LinkError, match="dialout"):
        way.open_link(board.port, timeout_s=PATIENCE_S)


def test_no_serial_port(way: Way, programs: Path, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="cannot be opened as a serial port"):
        way.open_link(str(programs / "main.py"), timeout_s=PATIENCE_S)


def test_mute_board(way: Way, board: FakeBoard) -> None:
    board.mute()
    with pytest.raises(LinkError, match=r"does not answer.*reset button"):
        way.open_link(board.port, timeout_s=SOON_S)


def test_goes_mute(link: Link, board: FakeBoard, way: Way) -> None:
    """A board may go mute in the middle of everything."""
    board.mute()
    for _ in range(2):
        with pytest.raises(LinkError, match="in time"):
            link.run("print(1)", timeout_s=SOON_S)
    link.close()


def test_busy_board(way: Way, programs: Path, tmp_path: Path) -> None:
    """A main.py that ignores Ctrl-C for a second is interrupted after that."""
    (programs / "main.py").write_text(BUSY)
    faults = Faults()
    with fake_board(way.kind, tmp_path / "flash", faults=faults) as board:
        board.wait_for("main runs")
        faults.deaf_s = 3600
        threading.Timer(1, lambda: setattr(faults, "deaf_s", 0)).start()
        with way.open_link(board.port, timeout_s=PATIENCE_S) as link:
            assert link.run("print(1)") == "1\n"


def test_board_that_does_not_let_go(way: Way, programs: Path, tmp_path: Path) -> None:
    (programs / "main.py").write_text(BUSY)
    faults = Faults()
    with fake_board(way.kind, tmp_path / "flash", faults=faults) as board:
        board.wait_for("main runs")
        faults.deaf_s = 3600
        with pytest.raises(LinkError, match="does not answer"):
            way.open_link(board.port, timeout_s=SOON_S)


def test_chatty_board(way: Way, programs: Path, tmp_path: Path) -> None:
    """A main.py that prints without end is interrupted, unless it ignores Ctrl-C."""
    (programs / "main.py").write_text("while True:\n    print('x' * 70)\n")
    faults = Faults()
    with fake_board(way.kind, tmp_path / "flash", faults=faults) as board:
        board.wait_for("x")
        faults.deaf_s = 3600
        with pytest.raises(LinkError, match="cannot be interrupted"):
            way.open_link(board.port, timeout_s=3)
        faults.deaf_s = 0
        with way.open_link(board.port, timeout_s=PATIENCE_S) as link:
            assert link.run("print(1)") == "1\n"


def test_program_without_end(link: Link) -> None:
    with pytest.raises(LinkError, match="in time"):
        link.run("while True: pass", timeout_s=SOON_S)


def test_endless_output(link: Link) -> None:
    """A program that prints without end does not prevent the timeout."""
    with pytest.raises(LinkError, match="in time"):
        link.run("while True: print('x' * 70)", timeout_s=SOON_S)


def test_unplugged(link: Link, board: FakeBoard, way: Way) -> None:
    board.unplug()
    with pytest.raises(LinkError, match="unplugged"):
        link.run("print(1)")
    with pytest.raises(LinkError, match="unplugged"):
        link.write(way.root + "file", b"x")
    link.close()


def test_unplugged_while_writing(
    link: Link, board: FakeBoard, faults: Faults, programs: Path, way: Way
) -> None:
    """Half a file is left, and the next link can write the whole file."""
    data = os.urandom(10_000)
    faults.unplug_after = board.received + 6000
    with pytest.raises(LinkError, match="unplugged"):
        link.write(way.root + "file", data)
    assert 0 < (programs / "file").stat().st_size < len(data)
    faults.unplug_after = None
    board.plug()
    with way.open_link(board.port, timeout_s=PATIENCE_S) as again:
        again.write(way.root + "file", data)
        assert again.sha256(way.root + "file") == hashlib.sha256(data).hexdigest()


def test_unplugged_while_listening(
    link: Link, board: FakeBoard, programs: Path
) -> None:
    """It waits for the board's return; if it does not return, that is an error."""
    program = "import utime\nwhile True:\n    print('tick')\n    utime.sleep(0.1)\n"
    (programs / "main.py").write_text(program)
    link.reset()
    board.wait_for("tick")
    board.unplug()
    timer = threading.Timer(0.3, board.plug)
    timer.start()
    assert "tick" in link.lines(PATIENCE_S)
    timer.join()
    board.unplug()
    with pytest.raises(LinkError, match="there is no port"):
        list(link.lines(1))


def test_flash_full(way: Way, programs: Path, tmp_path: Path) -> None:
    faults = Faults(flash_bytes=4096)
    with fake_board(way.kind, tmp_path / "flash", faults=faults) as board:
        link = way.open_link(board.port, timeout_s=PATIENCE_S)
        with link, pytest.raises(BoardError, match=r"file: .*ENOSPC"):
            link.write(way.root + "file", bytes(8000))


def test_noise(way: Way, programs: Path, tmp_path: Path) -> None:
    """Noise at a start and at other times does not confuse a link."""
    faults = Faults(garbage=b"\xff\xfe\x04>OK\x00\r\nraw REPL; CTRL-B\r\n" * 20)
    with fake_board(way.kind, tmp_path / "flash", faults=faults) as board:
        for _ in range(3):
            with way.open_link(board.port, timeout_s=PATIENCE_S) as link:
                assert link.run("print(1)") == "1\n"
            board.reset()


def test_garbled_answers(link: Link, board: FakeBoard, way: Way) -> None:
    """Foreign lines between the bytes of a file are an error."""
    link.write(way.root + "file", b"data")
    source = "import builtins\n_print = print\n"
    source += "builtins.print = lambda *a: _print('+QIND: 1', *a)"
    link.run(source)
    with pytest.raises(LinkError, match="garbled"):
        link.read(way.root + "file")


def test_slow_line(way: Way, programs: Path, tmp_path: Path) -> None:
    """A line of 9,600 baud works."""
    faults = Faults(bytes_per_s=960)
    with (
        fake_board(way.kind, tmp_path / "flash", faults=faults) as board,
        way.open_link(board.port, timeout_s=PATIENCE_S) as link,
    ):
        link.write(way.root + "file", b"z" * 900)
    assert (programs / "file").read_bytes() == b"z" * 900


@pytest.fixture
def at_port() -> Iterator[str]:
    """A port that answers AT with an echo, as a module's modem port does."""
    master, slave = os.openpty()
    tty.setraw(slave)
    ended = threading.Event()

    def answer() -> None:
        while not ended.is_set():
            data = os.read(master, 1000)
            os.write(master, data + b"\r\nERROR\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    yield os.ttyname(slave)
    ended.set()
    os.write(slave, b"\r")
    thread.join()
    os.close(slave)
    os.close(master)


def test_no_micropython(way: Way, programs: Path, at_port: str) -> None:
    """Another port of a module, with a name at which mpremote would hang."""
    assert at_port.startswith("/dev/pts/")
    with pytest.raises(LinkError, match="not a port of MicroPython"):
        way.open_link(at_port, timeout_s=SOON_S)


def test_silent_pty(way: Way, programs: Path) -> None:
    """A silent pty, with a name at which mpremote would wait for ever."""
    master, slave = pty.openpty()
    try:
        with pytest.raises(LinkError, match="does not answer"):
            way.open_link(os.ttyname(slave), timeout_s=SOON_S)
    finally:
        os.close(slave)
        os.close(master)


def test_deadline_of_a_line() -> None:
    """Without a deadline, reading a line is an error."""
    with serial.serial_for_url("loop://") as port:
        line = serial_line.SerialLine("loop://", port)
        with pytest.raises(LinkError, match="does not answer"):
            line.read()
        with line.within(PATIENCE_S):
            line.write(b"abc>")
            assert line.read_until(b">") == b"abc>"


def test_what_runs_on_boards_is_in_the_dialect(tmp_path: Path) -> None:
    """MicroPython 1.13, the oldest on boards, compiles our programs."""
    require("mpy-cross 1.13", MPY_CROSS_1_13, "run make test")
    programs = {
        "hash": repl_link._HASH,
        "has": repl_link._HAS.format(mpremote_link.MpremoteLink.restart_source),
        "power": repl_link._HAS.format(quecpython_link.QuecPythonLink.restart_source),
    }
    for name, program in programs.items():
        (tmp_path / f"{name}.py").write_text(program)
    done = subprocess.run(
        [sys.executable, ROOT / "tools/check_dialect.py", *tmp_path.glob("*.py")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr

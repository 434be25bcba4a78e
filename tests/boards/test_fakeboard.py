"""Real mpremote works with the fake board as with a real one."""

import hashlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from tests.fakeboard.board import FakeBoard, fake_board
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT

MPREMOTE = Path(sys.executable).with_name("mpremote")

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    folder = tmp_path / "flash"
    folder.mkdir()
    return folder


@pytest.fixture
def esp32(flash: Path) -> Iterator[FakeBoard]:
    with fake_board("esp32", flash) as board:
        yield board


@pytest.fixture
def quecpython(flash: Path) -> Iterator[FakeBoard]:
    with fake_board("quecpython", flash) as board:
        yield board


def mpremote(board: FakeBoard, *words: str | Path, cwd: Path | None = None) -> Done:
    """Run `mpremote connect PORT …`, and wait."""
    return subprocess.run(
        [MPREMOTE, "connect", board.port, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def well(board: FakeBoard, *words: str | Path, cwd: Path | None = None) -> str:
    """Run the same, check that it succeeds, and return its output."""
    done = mpremote(board, *words, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_programs(esp32: FakeBoard, tmp_path: Path) -> None:
    """eval, exec and run show the program's output."""
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint('on', sys.platform)\n")
    assert well(esp32, "eval", "6 * 7") == "42\n"
    assert well(esp32, "exec", "print(1); print(2)") == "1\n2\n"
    assert well(esp32, "run", script) == "on esp32\n"


def test_failures(esp32: FakeBoard) -> None:
    """An exception fails the command with its traceback; SystemExit does not."""
    failed = mpremote(esp32, "exec", "def f():\n 1 / 0\nf()")
    assert failed.returncode == 1
    assert failed.stdout.splitlines() == [
        "Traceback (most recent call last):",
        '  File "<stdin>", line 3, in <module>',
        '  File "<stdin>", line 2, in f',
        "ZeroDivisionError: divide by zero",
    ]
    assert mpremote(esp32, "exec", "import sys; sys.exit(3)").returncode == 0


def test_files(esp32: FakeBoard, flash: Path, tmp_path: Path) -> None:
    """Files of 20 KB are copied exactly both ways, and have the right hash."""
    data = os.urandom(20_000)
    (tmp_path / "data").write_bytes(data)
    well(esp32, "mkdir", ":/folder")
    well(esp32, "cp", tmp_path / "data", ":/folder/data")
    assert (flash / "folder/data").read_bytes() == data
    assert hashlib.sha256(data).hexdigest() in well(esp32, "sha256sum", ":/folder/data")
    assert well(esp32, "ls", ":/folder").split()[-2:] == ["20000", "data"]
    well(esp32, "cp", ":/folder/data", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    well(esp32, "rm", ":/folder/data")
    well(esp32, "rmdir", ":/folder")
    assert not list(flash.iterdir())


def test_folders(esp32: FakeBoard, flash: Path, tmp_path: Path) -> None:
    """A folder is copied with its content."""
    (tmp_path / "package/inner").mkdir(parents=True)
    (tmp_path / "package/__init__.py").write_text("")
    (tmp_path / "package/inner/one.py").write_text("ONE = 1\n")
    well(esp32, "cp", "-r", tmp_path / "package", ":.")
    assert (flash / "package/inner/one.py").read_text() == "ONE = 1\n"
    said = well(esp32, "exec", "from package.inner import one; print(one.ONE)")
    assert said == "1\n"


def test_soft_reset(esp32: FakeBoard, flash: Path) -> None:
    """It clears the memory; in the raw REPL it runs boot.py, but not main.py."""
    (flash / "boot.py").write_text("print('boot.py')\nbooted = True\n")
    (flash / "main.py").write_text("print('main.py')\n")
    before = esp32.output
    well(esp32, "exec", "kept = 1", "exec", "print(kept)")
    well(esp32, "soft-reset")
    said = well(esp32, "resume", "exec", "print('kept' in globals(), booted)")
    assert said == "False True\n"
    assert "MPY: soft reboot\r\nboot.py\r\n" in esp32.output.removeprefix(before)
    assert "main.py" not in esp32.output


def test_reset(esp32: FakeBoard, flash: Path) -> None:
    """machine.reset() starts everything again, with the text of the ROM."""
    (flash / "main.py").write_text("print('main', 'program')\n")
    resets = esp32.resets
    well(esp32, "reset")
    esp32.wait_for("main program")
    assert "POWERON_RESET" in esp32.output.rpartition("MicroPython")[0]
    assert esp32.resets >= resets + 1


def test_mount(esp32: FakeBoard, flash: Path, tmp_path: Path) -> None:
    """`mount . run main.py` runs files on the host, with imports and open()."""
    source = tmp_path / "source"
    source.mkdir()
    data = bytes(range(256)) * 20
    (source / "data.bin").write_bytes(data)
    (source / "helper.py").write_text("def twice(x):\n    return 2 * x\n")
    (source / "main.py").write_text(
        "import helper\n"
        "print(helper.twice(21))\n"
        "with open('data.bin', 'rb') as file:\n"
        "    print(sum(file.read()))\n"
        "with open('made.txt', 'w') as file:\n"
        "    file.write('by the board')\n"
    )
    said = well(esp32, "mount", ".", "run", "main.py", cwd=source)
    printed = [line for line in said.splitlines() if not line.startswith("Local dir")]
    assert printed == ["42", str(sum(data))]
    assert (source / "made.txt").read_text() == "by the board"
    assert not list(flash.iterdir())


def test_repl(esp32: FakeBoard, tmp_path: Path) -> None:
    """mpremote's terminal: a mounted folder, typed lines, a loop that Ctrl-C stops."""
    (tmp_path / "helper.py").write_text("print('helper', 'is here')\n")
    master, slave = pty.openpty()
    terminal = subprocess.Popen(
        [MPREMOTE, "connect", esp32.port, "mount", ".", "repl"],
        cwd=tmp_path,
        stdin=slave,
        stdout=slave,
        stderr=subprocess.STDOUT,
    )
    os.close(slave)
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        deadline = time.monotonic() + PATIENCE_S
        while text not in shown:
            assert time.monotonic() < deadline, shown
            if select.select([master], [], [], 0.1)[0]:
                shown += os.read(master, 4096).decode()
        shown = shown.partition(text)[2]

    try:
        until(">>> ")
        os.write(master, b"import helper\r")
        until("helper is here")
        os.write(master, b"while True:\rprint('a', 'round')\r\r")
        until("a round")
        os.write(master, b"\x03")
        until("KeyboardInterrupt")
        os.write(master, b"6 * 7\r")
        until("42")
        os.write(master, b"\x1d")  # Ctrl-]: leave
        assert terminal.wait(PATIENCE_S) == 0
    finally:
        terminal.kill()
        terminal.wait()
        os.close(master)


def test_mip(esp32: FakeBoard, flash: Path, tmp_path: Path) -> None:
    """A local package.json is installed in the path."""
    (tmp_path / "thing.py").write_text("WHAT = 'a thing'\n")
    urls = [["thing/__init__.py", "thing.py"]]
    (tmp_path / "package.json").write_text(json.dumps({"urls": urls}))
    (flash / "lib").mkdir()
    well(esp32, "mip", "install", tmp_path / "package.json")
    assert (flash / "lib/thing/__init__.py").is_file()
    assert well(esp32, "exec", "import thing; print(thing.WHAT)") == "a thing\n"


def test_mip_of_this_repository(esp32: FakeBoard, flash: Path, tmp_path: Path) -> None:
    """`mpremote mip install package.json` installs point/, as the README says."""
    package = json.loads((ROOT / "package.json").read_text())
    package["urls"] = [[name, str(ROOT / source)] for name, source in package["urls"]]
    package.pop("deps", None)  # packages on other hosts
    (tmp_path / "package.json").write_text(json.dumps(package))
    well(esp32, "mip", "install", "--no-mpy", "package.json", cwd=tmp_path)
    for name, source in package["urls"]:
        assert (flash / "lib" / name).read_bytes() == Path(source).read_bytes()
    said = well(esp32, "exec", "from point import imei; print(imei.__name__)")
    assert said == "point.imei\n"


def test_quecpython_knows_u_names_only(quecpython: FakeBoard) -> None:
    """mpremote's file commands fail there, as on the board, and programs work."""
    failed = mpremote(quecpython, "ls")
    assert failed.returncode == 1
    assert "no module named 'os'" in failed.stderr
    program = (
        "import usys, uos\n"
        "for name in ('json', 'os', 'time', 'socket', 'struct'):\n"
        "    __import__('u' + name)\n"
        "    try:\n"
        "        __import__(name)\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
        "print(uos.listdir('/'), usys.path[0], usys.implementation[1])\n"
    )
    names = ("json", "os", "time", "socket", "struct")
    assert well(quecpython, "exec", program).splitlines() == [
        *(f"no module named '{name}'" for name in names),
        "['usr']  (1, 13, 0)",
    ]


def test_quecpython_starts_in_usr(flash: Path) -> None:
    """It starts /usr/main.py, imports from usr, and does not run boot.py."""
    (flash / "usr/package").mkdir(parents=True)
    (flash / "boot.py").write_text("print('boot.py')\n")
    (flash / "usr/package/__init__.py").write_text("")
    (flash / "usr/package/one.py").write_text("from . import two\n")
    (flash / "usr/package/two.py").write_text("print('two', __name__)\n")
    (flash / "usr/main.py").write_text("from usr.package import one\n")
    with fake_board("quecpython", flash) as board:
        board.wait_for("two usr.package.two")
        assert "boot.py" not in board.output


def test_its_imei(flash: Path) -> None:
    """The modem reports the IMEI that the board was given."""
    with fake_board("quecpython", flash, imei="356938035643809") as board:
        said = well(board, "exec", "import modem; print(modem.getDevImei())")
    assert said == "356938035643809\n"


def test_main_that_exits(flash: Path) -> None:
    """SystemExit in main.py is a soft reset, and main.py runs again."""
    (flash / "main.py").write_text("import sys\nprint('again')\nsys.exit()\n")
    with fake_board("esp32", flash) as board:
        board.wait_for("again\r\nMPY: soft reboot\r\nagain\r\nMPY: soft reboot\r\n")


def test_keys_are_in_order(flash: Path) -> None:
    """After Ctrl-C the REPL gets what main.py did not read."""
    (flash / "main.py").write_text("print('runs')\nwhile True:\n    pass\n")
    with fake_board("esp32", flash) as board, serial.Serial(board.port) as port:
        board.wait_for("runs")
        port.write(b"unread\r\x03\r\x01print(6 * 7)\x04")
        board.wait_for("42\r\n\x04\x04>")
        assert "KeyboardInterrupt" in board.output


def test_typed_by_people(esp32: FakeBoard) -> None:
    """The friendly REPL: echo, corrections, blocks, pasting."""
    with serial.Serial(esp32.port) as port:
        port.write(b"6 * 8\x7f7\r")
        esp32.wait_for("6 * 8\b \b7\r\n42\r\n>>> ")
        port.write(b"for i in range(2):\r  print('i', i)\r\r")
        esp32.wait_for("i 0\r\ni 1\r\n>>> ")
        port.write(b"\x05a = 1\rprint('a', a)\r\x04")
        esp32.wait_for("a 1\r\n>>> ")


def test_by_hand(tmp_path: Path) -> None:
    """python -m tests.fakeboard serves until Ctrl-C, then removes its port."""
    port = tmp_path / "port"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.fakeboard", "esp32", "--port", port],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout
        assert server.stdout.readline() == f"port:  {port}\n"
        assert Path(server.stdout.readline().removeprefix("flash: ").strip()).is_dir()
        done = subprocess.run(
            [MPREMOTE, "connect", port, "eval", "6 * 7"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.stdout == "42\n", done.stderr
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE_S) == 0
        assert not port.is_symlink()
    finally:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()

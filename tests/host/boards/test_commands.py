"""pointctl boards …: output and exit codes, with a fake board and without one."""

import pytest
import serial

from pointctl.boards import bootlog, mpremote_link, ports, quecpython_link
from pointctl.boards.ports import Port
from pointctl.boards.remote_board import RemoteBoard
from pointctl.errors import PointctlError, Refused
from tests.fakeboard.board import Faults, fake_board

TICKING = "import time\nwhile 1:\n    print('tick', time.time())\n    time.sleep(0.1)\n"


@pytest.fixture
def flash(tmp_path):
    """An empty flash."""
    folder = tmp_path / "flash"
    folder.mkdir()
    return folder


def test_list(pointctl, monkeypatch):
    """It lists ports with a guess at the board; no port is not a failure."""
    monkeypatch.setattr(ports, "find_ports", list)
    alone = pointctl("boards", "list")
    assert (alone.code, "plug a board in" in alone.err) == (0, True)
    found = Port("/dev/ttyUSB7", "CP2102", "esp32", "0001", 0x10C4)
    monkeypatch.setattr(ports, "find_ports", lambda: [found])
    assert "/dev/ttyUSB7" in pointctl("boards", "list").out
    assert pointctl("boards", "list", "--json").json == [
        {
            "port": "/dev/ttyUSB7",
            "guess": "esp32",
            "serial_number": "0001",
            "description": "CP2102",
        }
    ]


@pytest.mark.parametrize("command", ["info", "provision", "log", "reset"])
def test_no_such_port(pointctl, tmp_path, command):
    """The message names the port, and says what to do."""
    done = pointctl("boards", command, tmp_path / "none")
    assert (done.code, "boards list" in done.err) == (1, True)


def test_a_ca_without_settings(pointctl, tmp_path):
    """A CA without settings is wrong usage: no file would name it."""
    done = pointctl("boards", "deploy", "x", "--board", "unix", "--ca", tmp_path / "ca")
    assert (done.code, "--settings" in done.err) == (2, True)


def test_a_port_in_use(pointctl, flash):
    """The message says that another program has the port."""
    with (
        fake_board("esp32", flash) as board,
        serial.Serial(board.port, exclusive=True),
    ):
        done = pointctl("boards", "info", board.port)
    assert (done.code, "in use" in done.err) == (1, True)


def test_a_mute_board(pointctl, flash):
    """A mute board is reported in time."""
    with fake_board("esp32", flash, faults=Faults(mute_after=1)) as board:
        done = pointctl("boards", "info", board.port, "--answer", "2")
    assert (done.code, "does not answer" in done.err) == (1, True)


def test_another_board_than_said(pointctl, flash):
    """A board of another kind is refused: it could not run these files."""
    with fake_board("esp32", flash) as board:
        done = pointctl("boards", "deploy", board.port, "--board", "unix")
    assert (done.code, "of kind esp32, not unix" in done.err) == (3, True)
    assert list(flash.iterdir()) == []


def test_a_flash_that_is_too_small(pointctl, flash):
    """A small flash is reported before anything is changed."""
    with fake_board("esp32", flash, faults=Faults(flash_bytes=50_000)) as board:
        done = pointctl("boards", "deploy", board.port, "--board", "esp32")
    assert (done.code, "KB too small" in done.err) == (3, True)
    assert list(flash.iterdir()) == []


def test_dry_run(pointctl, flash):
    """It shows what would be done, and changes nothing."""
    with fake_board("esp32", flash) as board:
        command = ("boards", "deploy", board.port, "--board", "esp32", "--dry-run")
        shown = pointctl(*command)
        found = pointctl(*command, "--json").json
    assert shown.code == 0
    assert "point/access.mpy" in shown.out
    assert "would copy" in shown.out
    assert {row["what"] for row in found["files"]} == {"new"}
    assert list(flash.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "root", "open_link"),
    [
        ("esp32", "/", mpremote_link.open_link),
        ("quecpython", "/usr/", quecpython_link.open_link),
    ],
)
def test_folders_of_an_earlier_version(flash, kind, root, open_link):
    """Files in the folders of point/ are found, and folders go with their last file."""
    point = flash / root.strip("/") / "point"
    names = ["aliyun.py", "cloud/inner/form.py", "cloud/login.py", "url.py"]
    for name in names:
        (point / name).parent.mkdir(parents=True, exist_ok=True)
        (point / name).write_text("x = 1\n")
    with (
        fake_board(kind, flash) as board,
        open_link(board.port, timeout_s=20) as link,
    ):
        on_board = RemoteBoard(link, root, 20)
        found = on_board.survey([], whole=True)
        assert sorted(found) == [f"point/{name}" for name in names]
        on_board.remove(["point/aliyun.py", "point/cloud/inner/form.py"])
        left = sorted(path.name for path in point.rglob("*"))
        assert left == ["cloud", "login.py", "url.py"]
        on_board.remove(["point/cloud/login.py", "point/not-there/x.py"])
        assert [path.name for path in point.iterdir()] == ["url.py"]
        assert sorted(on_board.survey([], whole=True)) == ["point/url.py"]


def test_log_and_reset(pointctl, flash):
    """The log does not disturb the program; a reset restarts it."""
    (flash / "main.py").write_text(TICKING)
    with fake_board("esp32", flash) as board:
        board.wait_for("tick")
        heard = pointctl("boards", "log", board.port, "--for", "1")
        assert heard.code == 0
        assert "tick" in heard.out
        assert board.resets == 1
        assert "KeyboardInterrupt" not in board.output
        assert pointctl("boards", "reset", board.port).code == 0
        board.wait_for("KeyboardInterrupt")
        assert board.resets == 2


def test_wipe(pointctl, flash, monkeypatch):
    """It asks first; then it removes slots and claim, and with --all the setup."""
    kept = ("credentials.0", "credentials.1", "pending.0", "settings.json", "claim.key")
    for name in (*kept, "main.py", "mine.txt"):
        (flash / name).write_text("0")
    with fake_board("esp32", flash) as board:
        monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
        asked = pointctl("boards", "wipe", board.port)
        assert (asked.code, "nothing was removed" in asked.err) == (3, True)
        assert (flash / "credentials.0").exists()
        done = pointctl("boards", "wipe", board.port, "--yes", "--json")
        assert done.json["removed"] == sorted(kept[:3])
        left = {path.name for path in flash.iterdir()}
        assert left == {"settings.json", "claim.key", "main.py", "mine.txt"}
        every = pointctl("boards", "wipe", board.port, "--yes", "--all")
        assert "claim.key" in every.out
        again = pointctl("boards", "wipe", board.port, "--yes", "--all")
        assert "nothing to remove" in again.out
    assert {path.name for path in flash.iterdir()} == {"main.py", "mine.txt"}


def test_provision_of_nothing(pointctl, flash):
    """Without a program there is nothing to start."""
    with fake_board("esp32", flash) as board:
        done = pointctl("boards", "provision", board.port)
    assert (done.code, "first run pointctl boards deploy" in done.err) == (1, True)


def test_a_program_that_ends(pointctl, flash):
    """If main.py ends, the command does not wait any longer."""
    (flash / "main.py").write_text("print('bye')\n")
    with fake_board("esp32", flash) as board:
        done = pointctl("boards", "provision", board.port)
    assert (done.code, "main.py has ended" in done.err) == (1, True)
    assert "bye" in done.out


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("[   117 ms] credentials 00000 server", "00000"),
        ("\x00garbage[   117 ms] credentials 40302 E40 REFUSED: revoked", "40302"),
        ("[  3059 ms] connected mqtt.test", "00000"),
        ("[     3 ms] boot IMEI 866123450000008", None),
        ("credentials 00000 server", None),
    ],
)
def test_what_a_log_says(line, code):
    """The line with the code; or a later one, if that line was lost."""
    found = bootlog.parse_outcome(line)
    assert (found.code if found else None) == code


def test_what_comes_of_it():
    """A refusal by the server has another exit code than a failure."""
    bootlog.BootOutcome("00000", "server").check()
    with pytest.raises(Refused, match="40302"):
        bootlog.BootOutcome("40302", "revoked").check()
    for code in ("77777", "99999"):
        with pytest.raises(PointctlError) as raised:
            bootlog.BootOutcome(code, "").check()
        assert raised.value.exit_code == 1

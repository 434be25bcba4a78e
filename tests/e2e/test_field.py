"""What happens to boards in the field: the real board, server and broker."""

import base64
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from point.digest import sha256
from point.store import Store
from pointctl.broker.mosquitto import MosquittoAccounts
from pointctl.demo import lines
from pointctl.demo.system import DemoBoard, System, build_system
from pointctl.demo.timeline import Timeline
from pointctl.registry.devices import devices, search
from pointctl.registry.issuing import credentials, lifecycle
from pointctl.registry.storage.database import open_database
from tests import runtimes

FORKED = pytest.mark.usefixtures("forked")


class Told(Timeline):
    """Keeps what the board of a chapter said, in its order."""

    def __init__(self) -> None:
        super().__init__(None)
        self.board: list[str] = []

    def chapter(self, title: str) -> None:
        """Begin anew."""
        self.board.clear()
        super().chapter(title)

    def add(self, who: str, name: str, detail: str = "") -> None:
        """Say that `who` did something just now."""
        if who == "board":
            self.board.append(name)
        super().add(who, name, detail)


@pytest.fixture
def told() -> Told:
    """What happens in the system."""
    return Told()


@pytest.fixture
def system(told: Told) -> Iterator[System]:
    """A broker that runs, and what is needed for a server and boards."""
    runtimes.micropython()
    runtimes.need("mosquitto")
    with build_system(told) as made:
        yield made


def secret(system: System, board: DemoBoard) -> str | None:
    """The deviceSecret that the registry holds for a board."""
    with (
        open_database(system.folder.registry) as database,
        database.snapshot() as found,
    ):
        device = devices.find(found, board.imei)
        row = credentials.read(found.connection(), device.id)
        return next(iter(credentials.secrets(database.vault, row)), None)


def accounts(system: System) -> MosquittoAccounts:
    """The broker's accounts, to be changed behind the server's back."""
    broker = system.broker
    return MosquittoAccounts(
        "127.0.0.1", broker.port, system.files.ca, broker.login_file
    )


@contextmanager
def served(system: System, **product: int) -> Iterator[DemoBoard]:
    """A board that is registered, while the provisioning server runs."""
    board = system.board(*system.register(**product))
    with system.server() as server:
        system.timeline.require("server", "ready", server.alive)
        yield board


@FORKED
def test_broker_restarts(system: System) -> None:
    """The board loses its broker, says so, and is back once it runs again."""
    with served(system) as board, board.power_on() as power:
        system.timeline.require("board", "published", power.alive)
        system.timeline.chapter("the broker goes")
        system.broker.stop()
        lost = system.timeline.require("board", "lost", power.alive)
        assert "E13 CLOSED" in lost.detail
        system.timeline.chapter("the broker comes")
        system.broker.start()
        system.timeline.require("board", "connected", power.alive)
        assert system.timeline.count("server", "access") == 0


@FORKED
def test_half_open_connection(system: System) -> None:
    """A broker that is there but silent is given up within the keep-alive."""
    with served(system, keep_alive=2) as board, board.power_on() as power:
        system.timeline.require("board", "published", power.alive)
        system.timeline.chapter("the broker freezes")
        assert system.broker.pid is not None
        os.kill(system.broker.pid, signal.SIGSTOP)
        try:
            lost = system.timeline.require("board", "lost", power.alive)
        finally:
            os.kill(system.broker.pid, signal.SIGCONT)
        assert "E15 BROKER_LOST" in lost.detail
        system.timeline.require("board", "connected", power.alive)


@FORKED
def test_wrong_password(system: System, told: Told) -> None:
    """Refused three times in a row, the board claims again; the flash is not erased."""
    with served(system) as board:
        with board.power_on() as power:
            system.timeline.require("board", "published", power.alive)
        system.timeline.chapter("the broker forgets")
        broker_accounts = accounts(system)
        broker_accounts.allow(board.product_key, board.imei, "wrong-" + "0" * 26)
        with board.power_on() as power:
            system.timeline.require("server", "access", power.alive)
            known = secret(system, board)
            assert known is not None
            broker_accounts.allow(board.product_key, board.imei, known)
            system.timeline.require("board", "connected", power.alive)
        claimed = told.board.index("credentials", told.board.index("lost"))
        assert told.board[:claimed].count("lost") == 3
        broker_accounts.close()


@FORKED
def test_revoked_and_restored(system: System) -> None:
    """A revoked board is out everywhere; restored, it comes back with a new secret."""
    broker_accounts = accounts(system)
    with served(system) as board:
        with board.power_on() as power:
            system.timeline.require("board", "published", power.alive)
            first = secret(system, board)
            names = board.imei, board.product_key
            system.timeline.chapter("revoked")
            with open_database(system.folder.registry) as database:
                lifecycle.revoke(database, *names, "test", broker_accounts)
            told = system.timeline.require("server", "access", power.alive)
            assert "gets 40302" in told.detail
            assert system.timeline.count("board", "connected") == 0
            system.timeline.chapter("restored")
            with open_database(system.folder.registry) as database:
                lifecycle.restore(database, *names, "test")
            system.timeline.require("board", "connected", power.alive)
            second = secret(system, board)
        assert second is not None
        assert second != first
        system.timeline.chapter("a later boot")
        with board.power_on() as power:
            system.timeline.require("board", "connected", power.alive)
            assert system.timeline.count("server", "access") == 0
    broker_accounts.close()


@FORKED
def test_rotated(system: System) -> None:
    """The old secret serves until a claim gets the new one; here the broker asks."""
    broker_accounts = accounts(system)
    with served(system) as board:
        with board.power_on() as power:
            system.timeline.require("board", "published", power.alive)
        first = secret(system, board)
        names = board.imei, board.product_key
        with open_database(system.folder.registry) as database:
            lifecycle.rotate(database, *names, "test")
        system.timeline.chapter("rotated, and nobody has noticed")
        with board.power_on() as power:
            system.timeline.require("board", "connected", power.alive)
            assert system.timeline.count("server", "access") == 0
        system.timeline.chapter("the broker refuses the old one")
        broker_accounts.allow(board.product_key, board.imei, "wrong-" + "0" * 26)
        with board.power_on() as power:
            system.timeline.require("server", "access", power.alive)
            system.timeline.require("board", "connected", power.alive)
        second = secret(system, board)
        assert None not in (first, second)
        assert second != first
        with open_database(system.folder.registry) as database:
            shown = search.show(database, *names)
        standings = [each["standing"] for each in shown["credentials"]]
        assert standings == ["current", "retired"]
    broker_accounts.close()


@FORKED
def test_power_cut_after_the_reply(system: System) -> None:
    """Killed when the server has just answered, again and again: one credential."""
    secrets = set()
    with served(system) as board:
        for number in range(5):
            system.timeline.chapter(f"boot {number}")
            for file in board.flash.glob("credentials.*"):
                file.unlink()  # as if the write had not come to anything
            forget_attempts(board)
            with board.power_on() as power:
                system.timeline.require("server", "access", power.alive)
            secrets.add(secret(system, board))
        system.timeline.chapter("a boot that is left alone")
        forget_attempts(board)
        with board.power_on() as power:
            system.timeline.require("board", "connected", power.alive)
        secrets.add(secret(system, board))
    assert len(secrets) == 1


def forget_attempts(board: DemoBoard) -> None:
    """Spare the test the back-off that a board which fails again and again keeps."""
    key = sha256(b"flash" + board.imei.encode())  # as firmware/unix has it
    kept = Store(str(board.flash), key, os.urandom)
    request_id = kept.pending().get("requestId")
    if request_id:  # else the plug was pulled so late that all was settled
        kept.remember({"requestId": request_id})


def test_no_secret_is_ever_printed(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No secret stands in what boards, server and broker print, nor in an argument."""
    printed: list[str] = []
    for name in ("read_board", "read_server", "read_mosquitto"):
        read = getattr(lines, name)

        def recorded(line: str, read=read) -> lines.LineEvent | None:
            printed.append(line)
            return read(line)

        monkeypatch.setattr(lines, name, recorded)
    with served(system) as board:
        with board.power_on() as power:
            system.timeline.require("board", "published", power.alive)
            printed += arguments()
        (board.flash / "claim.key").write_text("0" * 64)
        for file in board.flash.glob("credentials.*"):
            file.unlink()
        with board.power_on() as power:  # a stranger, to see refusals logged too
            system.timeline.require("board", "credentials", power.alive)
    canaries = {
        "deviceSecret": secret(system, board),
        "claim master": system.folder.claim_master.read_text().strip(),
        "operator": system.broker.login_file.read_text().split('"')[7],
    }
    everything = "\n".join(printed)
    assert found("imei", board.imei, everything)  # the search does find what is there
    for name, value in canaries.items():
        assert value
        assert not found(name, value, everything)


def arguments() -> list[str]:
    """The command lines of all processes of this machine."""
    said = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            said.append((process / "cmdline").read_text(errors="replace"))
    return said


def found(name: str, value: str, text: str) -> list[str]:
    """The spellings of a secret that stand in `text`: as it is, as hex, as base64."""
    spellings = {
        "plain": value,
        "hex": value.encode().hex(),
        "base64": base64.b64encode(value.encode()).decode().rstrip("="),
    }
    return [f"{name} as {how}" for how, spelled in spellings.items() if spelled in text]

"""From the command line to a board that is provisioned, over a serial line."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointctl.boards import flash
from tests.e2e.office import PRODUCT, Office, office
from tests.fakeboard.board import Faults
from tests.patience import PATIENCE_S

KINDS = ("esp32", "quecpython")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Registry, server, certificates, pointctl."""
    with office(tmp_path_factory.mktemp("office")) as made:
        yield made


def files(folder: Path, kind: str) -> dict[str, bytes]:
    """What is in a board's flash, under its root."""
    root = folder / flash.root(kind).strip("/")
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_boards_first_day(place: Office, tmp_path: Path, kind: str) -> None:
    """Deployed, provisioned, asked, deployed again, wiped, provisioned again."""
    number = place.register(KINDS.index(kind))
    with place.board(kind, tmp_path / "flash", number) as board:
        done = place.deploy(board, kind, "--json")
        assert done.code == 0, done.err
        assert {"main.py", "settings.json", "ca.der", "claim.key"} <= set(
            done.json["copied"]
        )
        again = place.deploy(board, kind, "--json")
        assert (again.code, again.json["copied"]) == (0, [])
        made = place.pointctl("boards", "provision", board.port, "--json")
        assert made.code == 0, made.err + board.output[-2000:]
        found = made.json
        assert found.pop("detail") in ("server", "unheard")
        assert found == {
            "port": board.port,
            "code": "00000",
            "product_key": PRODUCT,
            "device_name": number,
            "standing": "candidate",
        }
        kept = files(tmp_path / "flash", kind)
        asked = place.pointctl("boards", "info", board.port, "--json").json
        assert asked["installed"]["state"] == "complete"
        assert asked["installed"]["matching"] == asked["installed"]["files"] > 40
        assert asked["imei"] == number
        assert asked["credentials"]["device_name"] == number
        assert asked["claim_key"]
        assert place.deploy(board, kind, "--json").json["copied"] == []
        after = files(tmp_path / "flash", kind)
        assert after["credentials.0"] == kept["credentials.0"]
        wiped = place.pointctl("boards", "wipe", board.port, "--yes", "--json").json
        assert "credentials.0" in wiped["removed"]
        back = place.pointctl("boards", "provision", board.port)
        assert back.code == 0, back.err
        assert f"{number} of {PRODUCT} is in flash" in back.out
        said = done.out + done.err + made.out + made.err + back.out + board.output
    assert "deviceSecret" not in said
    assert after["claim.key"].decode().strip() not in said
    shown = place.pointctl("devices", "show", number, "--json").json
    assert shown["state"] == "issued"


def test_interrupted_and_done_again(place: Office, tmp_path: Path) -> None:
    """Unplugged, then Ctrl-C: it runs nothing and says so; then it is as if nothing had
    been."""
    number, kind = place.register(7), "esp32"
    flash_folder = tmp_path / "flash"
    with place.board(kind, flash_folder, number) as board:
        board.faults = Faults(unplug_after=60_000)
        cut = place.deploy(board, kind)
        assert (cut.code, "half deployed" in cut.err) == (1, True), cut.err
        board.faults = Faults()
        board.plug()
        board.wait_for("half deployed: run pointctl boards deploy again")
        asked = place.pointctl("boards", "info", board.port, "--json").json
        assert asked["installed"]["state"] == "half deployed"
        refused = place.pointctl("boards", "provision", board.port)
        assert (refused.code, "half deployed" in refused.err) == (1, True)
        before = len(files(flash_folder, kind))
        options = ("deploy", board.port, "--board", kind, *place.setup(kind))
        with place.start("boards", *options) as process:
            while len(files(flash_folder, kind)) < before + 3:
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, "goes on from there" in said) == (130, True), said
        done = place.deploy(board, kind, "--json")
        assert done.code == 0, done.err
        assert 0 < len(done.json["copied"]) < len(files(flash_folder, kind)) - before
        assert place.deploy(board, kind, "--json").json["copied"] == []
    with place.board(kind, tmp_path / "other", number) as other:
        assert place.deploy(other, kind).code == 0
    assert files(flash_folder, kind) == files(tmp_path / "other", kind)


def test_a_board_that_the_server_refuses(place: Office, tmp_path: Path) -> None:
    """Told apart from one that failed; the revoked one gets nothing."""
    number, kind = place.register(8), "esp32"
    with place.board(kind, tmp_path / "flash", number) as board:
        assert place.deploy(board, kind).code == 0
        assert place.pointctl("devices", "revoke", number).code == 0
        refused = place.pointctl("boards", "provision", board.port)
        assert refused.code == 3, refused.err
        assert "40302" in refused.err
    assert not (tmp_path / "flash/credentials.0").exists()


def test_a_key_from_a_file(place: Office, tmp_path: Path) -> None:
    """Of keys derive, and only if nobody else may read it; --run shows the boot."""
    number, kind = place.register(9), "esp32"
    key = tmp_path / f"{number}.key"
    derive = ("keys", "derive", "--imei", number, "--product", PRODUCT)
    assert place.pointctl(*derive, "--out", tmp_path).code == 0
    with place.board(kind, tmp_path / "flash", number) as board:
        key.chmod(0o644)
        open_to_all = place.deploy(board, kind, "--claim-key", key)
        assert (open_to_all.code, "chmod 600" in open_to_all.err) == (1, True)
        assert list((tmp_path / "flash").iterdir()) == []
        key.chmod(0o600)
        done = place.deploy(board, kind, "--claim-key", key, "--run")
        assert done.code == 0, done.err
        assert "credentials 00000" in done.out or "connected" in done.out
        assert key.read_text().strip() not in done.out + done.err + board.output

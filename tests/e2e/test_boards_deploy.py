"""From the command line to a board that is provisioned, over a serial line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pointctl.boards import flash
from tests.e2e.office import PRODUCT, Office, office

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

"""docs/gizwits.md: its examples run as they stand, its tables are the code's."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pointctl.certificates import CaFiles
from pointctl.clouds.gizwits.preauth import errors, lists
from pointctl.clouds.kit import chaos
from tests.host.preauth import Sandbox
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, need

PAGE = (ROOT / "docs/gizwits.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)
SERVE = "pointctl sandbox serve\n"


@pytest.fixture
def shell(data, tmp_path):
    """Runs a block of the page, with what other blocks exported."""
    need("curl")
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {
        **{n: v for n, v in os.environ.items() if not n.startswith("POINTCTL_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "POINTCTL_DATA": str(data.path),
    }

    def run(block: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", f"umask 077\n{block}"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, block + done.stdout + done.stderr
        return done.stdout

    return SimpleNamespace(run=run, folder=folder)


def shape(value):
    """Names and types, without what is different each time."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value]
    return type(value).__name__


def test_the_examples(shell, data):
    """Each block, in order; what follows it is what it prints."""
    place = next(n for n, (_, text) in enumerate(BLOCKS) if text == SERVE)
    for _, block in BLOCKS[:place]:
        shell.run(block)
    server = Sandbox(data.path, CaFiles(data.ca))
    try:
        printed, replies = "", []
        exports = BLOCKS[place + 1][1].replace("8444", str(server.port))
        for kind, block in BLOCKS[place + 2 :]:
            if kind == "sh":
                printed = shell.run(exports + block)
            elif kind == "json":
                replies.append(json.loads(printed))
                assert shape(replies[-1]) == shape(json.loads(block))
            else:
                assert printed == block
    finally:
        assert server.stop() == 0
    key = (shell.folder / "866123456789018.authkey").read_text().strip()
    assert (shell.folder / "keys.xlsx").read_bytes().startswith(b"PK")
    assert (shell.folder / "keys.csv").read_text().count("\n") == 4
    one, _, done, stock = replies
    assert (one["auth_key"], done["success"]) == (key, 3)  # as pointctl got it
    assert stock["objects"][0]["size"] == 4


def test_no_secret_is_an_argument():
    """What arguments hold is seen by everybody on the machine."""
    for kind, block in BLOCKS:
        if kind == "sh":
            plain = re.sub(r"<<END\n.*?^END$", "", block, flags=re.M | re.S)
            assert "$(cat" not in plain
            assert "auth_code=" not in plain


def test_the_table_of_errors():
    """Name, status, code and text of each, as the classes have them."""
    rows = re.findall(r"^\| ([A-Z_]+) \| (\d+) \| (\d+) \| (.*?) \|", PAGE, re.M)
    assert rows == [
        (kind.name, str(kind.status), str(kind.code), kind.text)
        for kind in errors.PreauthRefusal.by_code.values()
    ]


def test_the_numbers():
    """Limits and odds are those of the code."""
    assert f"at most {lists.MOST_DEVICES:,}, in {lists.MOST_BYTES >> 20} MiB" in PAGE
    assert (chaos._BUSY, chaos._RESET, chaos._DELAY_S) == (0.02, 0.01, 2.0)

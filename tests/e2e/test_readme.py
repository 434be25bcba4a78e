"""What the README shows is what happens."""

import ast
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from pointctl.boards import flash
from tests.fakeboard.board import fake_board
from tests.patience import PATIENCE_S
from tests.runtimes import MICROPYTHON, ROOT, require

README = (ROOT / "README.md").read_text(encoding="utf-8")
IMEI = "490154203237518"


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The README's server, but on a free port: its address and its data folder."""
    data = tmp_path_factory.mktemp("readme")
    registering, _, old_product = blocks("sh")[1:4]
    script = registering.replace("pointctl serve\n", old_product)
    script += "exec pointctl serve --port 0"
    for here, there in (
        ("mqtt.example.com", "localhost"),
        ("tools/", f"{ROOT}/tools/"),
    ):
        script = script.replace(here, there)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        ["bash", "-eu", "-c", script],
        cwd=data,
        env={**os.environ, "POINTCTL_DATA": str(data), "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith("{") and json.loads(line)["event"] == "ready":
                yield f"https://127.0.0.1:{json.loads(line)['port']}/v1/access", data
                break
        server.terminate()
        server.communicate(timeout=PATIENCE_S)
    assert server.returncode == 0


def test_first_commands() -> None:
    """The first command is make demo, the second make test."""
    assert blocks("sh")[0].split("\n")[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("runtime", ["cpython", "micropython"])
def test_one_call(runtime: str, served: tuple[str, Path], tmp_path: Path) -> None:
    """The one call provisions on both runtimes, and says that nobody was verified."""
    url, _data = served
    example = blocks("python")[1]
    script = tmp_path / "example.py"
    script.write_text(
        f"import sys; sys.path.append({str(ROOT)!r})\n"
        + example.replace("https://127.0.0.1:8443/v1/access", url)
    )
    command = sys.executable
    if runtime == "micropython":
        command = str(require("MicroPython", MICROPYTHON, "run make test"))
    run = subprocess.run(
        [command, script], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert run.returncode == 0, run.stderr
    warning, config = run.stdout.splitlines()
    assert "NOT verified" in warning
    device = ast.literal_eval(config)["device"]
    assert (device["productKey"], device["deviceName"]) == ("old", IMEI)
    assert re.fullmatch("[0-9a-f]{32}", device["deviceSecret"])


def test_watching(served: tuple[str, Path]) -> None:
    """An operator who asks the console sees the board that was simulated."""
    url, data = served
    script = blocks("sh")[2].replace("--role admin", "--role admin --password-file -")
    script = script.replace("--product meter", f"--product meter --url {url}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-eu", "-c", script],
        input="correct horse battery staple\n",
        env={**os.environ, "POINTCTL_DATA": str(data), "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stderr
    assert "credentials 00000 server" in run.stdout
    context = ssl.create_default_context(cafile=data / "ca/ca.pem")
    place = url.replace("/v1/access", "/console/")
    with httpx2.Client(
        verify=context, follow_redirects=True, timeout=PATIENCE_S
    ) as browser:
        form = {"name": "ann", "password": "correct horse battery staple"}
        browser.post(f"{place}login", data=form)
        shown = browser.get(f"{place}devices/meter/{IMEI}")
    assert shown.status_code == 200
    assert "issued" in shown.text


def test_on_a_board(served: tuple[str, Path], tmp_path: Path) -> None:
    """Its commands put all of it on a board, which then has its credentials."""
    url, data = served
    settings = {**json.loads(blocks("json")[0]), "url": url, "spreadS": 0}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    (tmp_path / "flash").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with fake_board("quecpython", tmp_path / "flash", imei=IMEI) as board:
        script = blocks("sh")[4].replace("/dev/ttyUSB0", board.port)
        run = subprocess.run(
            ["bash", "-eu", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "POINTCTL_DATA": str(data), "PATH": path},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith(f"{IMEI} of meter is in flash\n")


@pytest.mark.parametrize("command", blocks("sh")[5].splitlines())
def test_explaining(command: str) -> None:
    """The commands that explain a key or a signature are there, with an example."""
    run = subprocess.run(
        [sys.executable, "-m", *command.split()],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0
    assert "Example: pointctl" in run.stdout


def test_main(served: tuple[str, Path], tmp_path: Path) -> None:
    """The README's main.py provisions; only its broker is nobody's."""
    url, data = served
    board, keys = tmp_path / "flash", tmp_path / "keys"
    derive = "keys", "derive", "--product", "meter", "--imei", IMEI, "--out", keys
    subprocess.run(
        [Path(sys.executable).with_name("pointctl"), *derive, "--data", data],
        check=True,
        capture_output=True,
    )
    settings = json.loads(blocks("json")[0])
    flash.assemble(
        board,
        "unix",
        {**settings, "url": url, "spreadS": 0},
        (data / "ca/ca.der").read_bytes(),
        claim_key=bytes.fromhex((keys / f"{IMEI}.key").read_text()),
        libraries=ROOT / ".cache/micropython-lib",
    )
    (board / "main.py").write_text(blocks("python")[0])
    run = subprocess.run(
        [require("MicroPython", MICROPYTHON, "run make test"), "main.py"],
        cwd=board,
        env={**os.environ, "POINTACCESS_IMEI": IMEI, "MICROPYPATH": ":.frozen:lib"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert "E11 CONNECT" in run.stderr
    kept = (board / "credentials.0").read_bytes()
    assert kept.startswith(b"PtAc")
    assert b"deviceSecret" not in kept  # it is encrypted

"""examples/deploy: the unit, nginx in front of a real server, the dashboard."""

import json
import os
import re
import shlex
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer

from pointctl import certificates
from pointctl.broker.process import free_port
from pointctl.certificates import CaFiles
from pointctl.cli import app
from pointctl.folder import DataFolder
from pointctl.registry.storage.database import Database
from tests.host.serving import PRODUCT, Server, imei
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, need

DEPLOY = ROOT / "examples/deploy"
POINTCTL = Path(sys.executable).with_name("pointctl")
NAME = "provision.example.com"


def test_the_units_are_understood(tmp_path: Path) -> None:
    """Every line of them, and the server is kept from what it does not need."""
    analyze = need("systemd-analyze")
    units = []
    for unit in DEPLOY.glob("pointctl*.*"):
        text = unit.read_text().replace("/opt/pointctl/bin/pointctl", str(POINTCTL))
        (tmp_path / unit.name).write_text(text)
        units.append(tmp_path / unit.name)
    assert len(units) == 3
    done = subprocess.run(
        [analyze, "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "pointctl" in line]
    assert not ours, ours
    command = [
        str(analyze),
        "security",
        "--offline=true",
        "--threshold=15",
        "--no-pager",
    ]
    done = subprocess.run(
        [*command, str(tmp_path / "pointctl.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def commands() -> list[str]:
    """What units, page and doctor tell to run, without the program's name."""
    found = []
    for unit in DEPLOY.glob("*.service"):
        found += re.findall(r"^ExecStart=\S+ (.*)$", unit.read_text(), re.MULTILINE)
    page = (ROOT / "docs/deployment.md").read_text()
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL):
        found += re.findall(r"(?:^|&& )pointctl ([a-z][^#&\n]*)", block, re.MULTILINE)
    found += re.findall(r"`pointctl ([a-z][^`]*)`", page)
    for module in (ROOT / "tools/pointctl/doctor").glob("*.py"):
        found += re.findall(r'"pointctl ([a-z][^",]*)[",]', module.read_text())
    return found


def test_what_is_told_to_run_is_there() -> None:
    """Commands and options, and nothing besides."""
    found = [shlex.split(command) for command in commands()]
    assert len(found) >= 12
    for words in found:
        command: Any = typer.main.get_command(app)
        rest = list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        assert command.name != "pointctl", words
        options = {name for each in command.params for name in each.opts}
        assert {word for word in rest if word.startswith("--")} <= options, words


_FORBID = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, what MemoryDenyWriteExecute= does
    sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_no_memory_is_written_and_executed(
    pointctl: Callable[..., Any], data: DataFolder
) -> None:
    """What the unit forbids, the server does not need."""
    certificates.init(data.ca)
    serve = ["serve", "--port", "0", "--metrics-port", "0", "--data", str(data.path)]
    command = [sys.executable, "-m", "pointctl", *serve]
    with subprocess.Popen(
        [sys.executable, "-c", _FORBID, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if '"event": "ready"' in line:
                process.terminate()
    if process.returncode == 77:
        pytest.skip("this kernel is older than 6.3")
    assert process.returncode == 0, said
    assert any('"event": "ready"' in line for line in said)


def configured(folder: Path, files: CaFiles, server: Server, port: int) -> Path:
    """The sample with this machine's paths and ports, inside a whole nginx.conf."""
    sample = (DEPLOY / "nginx.conf").read_text()
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server 127.0.0.1:8443", f"server 127.0.0.1:{server.port}"),
        ("/etc/pointctl/tls/", f"{files.folder}/"),
    ):
        assert old in sample
        sample = sample.replace(old, new)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""  # its files are in our folder
    path = folder / "nginx.conf"
    path.write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        "worker_processes 1;\nevents {}\n"
        f"http {{\naccess_log {folder}/access.log;\n{temporary}{sample}}}\n"
    )
    return path


@pytest.fixture
def behind(
    database: Database, data: DataFolder, tmp_path: Path
) -> Iterator[tuple[Callable[..., httpx2.Client], Path]]:
    """What makes clients of a server behind nginx, and nginx's folder."""
    nginx = need("nginx")
    files = certificates.init(tmp_path / "tls", ["localhost", "127.0.0.1", NAME])
    options = ("--mqtt-hook-token-file", tmp_path / "token")
    server = Server(data.path, files, "--trusted-proxy", "127.0.0.1", *options)
    folder = tmp_path / "nginx"
    folder.mkdir()
    port = free_port()
    path = configured(folder, files, server, port)
    early = folder / "early.log"
    check = subprocess.run(
        [nginx, "-t", "-e", early, "-c", path],
        capture_output=True,
        text=True,
        check=False,
    )
    process = None
    try:
        assert check.returncode == 0, check.stderr
        process = subprocess.Popen([nginx, "-e", early, "-c", path])

        def client(address: str = "127.0.0.1") -> httpx2.Client:
            context = ssl.create_default_context(cafile=files.ca)
            transport = httpx2.HTTPTransport(
                verify=context, local_address=address, retries=5
            )
            return httpx2.Client(
                base_url=f"https://localhost:{port}",
                transport=transport,
                timeout=PATIENCE_S,
            )

        yield client, folder
    finally:
        if process:
            process.terminate()
            process.wait(PATIENCE_S)
        server.stop()


def test_boards_behind_nginx(
    behind: tuple[Callable[..., httpx2.Client], Path], tmp_path: Path
) -> None:
    """They enrol; limits count addresses, and nobody can claim another's."""
    client, folder = behind

    def code(at: httpx2.Client, serial: int, said: str = "") -> str:
        headers = {"X-Forwarded-For": said} if said else {}
        body = {"imei": imei(serial), "productKey": PRODUCT}
        reply = at.post("/v1/access", json=body, headers=headers)
        return str(reply.json()["code"])

    with client("127.0.0.2") as board, client("127.0.1.3") as thief:
        assert code(board, 0) == "00000"
        codes = [code(thief, 1000 + n, f"198.51.{n}.7") for n in range(30)]
        assert "42901" in codes
        assert code(board, 1) == "00000"
        assert code(board, 2000) == "40301"  # not slowed down by the thief
        token = (tmp_path / "token").read_text().strip()
        reply = board.post(f"/mqtt/rabbitmq/{token}/user", data={"username": "x"})
        assert reply.text == "deny"
        page = board.get("/console/login")
        assert page.status_code == 200
        assert "max-age" in page.headers["strict-transport-security"]
        assert "default-src 'none'" in page.headers["content-security-policy"]
    logs = "".join(path.read_text() for path in folder.glob("*.log"))
    assert "/v1/access" in logs
    assert token not in logs


def test_the_dashboard_shows_figures_that_there_are(
    database: Database, data: DataFolder, authority: CaFiles
) -> None:
    """Each name in each expression is in the real /metrics."""
    text = (DEPLOY / "grafana.json").read_text()
    dashboard = json.loads(text)
    expressions = [
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"]
    ]
    named = set(re.findall(r"pointaccess_\w+", " ".join(expressions)))
    server = Server(data.path, authority, "--metrics-port", "0")
    try:
        shown = httpx2.get(server.events("metrics")[0]["url"]).text
    finally:
        server.stop()
    there = set(re.findall(r"^# TYPE (\w+)", shown, re.MULTILINE))
    there |= set(re.findall(r"^(\w+)", shown, re.MULTILINE))
    assert len(named) >= 8
    assert named <= there, named - there
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)

"""In an empty home only those commands make something whose task it is."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pointctl import certificates
from pointctl.cli import app
from pointctl.folder import DataFolder
from tests.host.serving import Finished, imei
from tests.postgres import Cluster

Pointctl = Callable[..., Finished]
IMEI = imei(1)
OUT = "--out=out"
PIN = "d504fbc269cc8d2ccc8822d98310e218"

# Commands of a registry: where there is none they say so, and which one makes it.
OF_A_REGISTRY = {
    "batches add": ["A", "--product=pk"],
    "batches list": [],
    "batches set": ["A", "--product=pk", "--quota=5"],
    "devices add": [IMEI, "--product=pk"],
    "devices export": [],
    "devices history": [IMEI],
    "devices import": ["rows.csv", "--product=pk"],
    "devices list": [],
    "devices lock": [IMEI],
    "devices move": [IMEI, "--to=A"],
    "devices release": [IMEI],
    "devices reopen": [IMEI],
    "devices restore": [IMEI],
    "devices retire": [IMEI],
    "devices reveal": [IMEI, "--reason=lost", OUT],
    "devices revoke": [IMEI],
    "devices rotate": [IMEI],
    "devices show": [IMEI],
    "devices tag": [IMEI, "--add=a"],
    "devices tags": [],
    "devices unlock": [IMEI],
    "devices unretire": [IMEI],
    "keys database": [],
    "keys derive": [f"--imei={IMEI}", "--product=pk", OUT],
    "keys rotate-database": [],
    "db backup": [OUT],
    "db check": [],
    "db upgrade": [],
    "operators disable": ["ann"],
    "operators enable": ["ann"],
    "operators list": [],
    "operators password": ["ann"],
    "operators role": ["ann", "viewer"],
    "operators token add": ["ann", "ci", OUT],
    "operators token list": ["ann"],
    "operators token revoke": ["ann", "ci"],
    "pool import": ["rows.csv", "--product=pk"],
    "pool list": [],
    "products enrolment": ["pk", "--closed"],
    "products list": [],
    "products set": ["pk", "--name=x"],
}
# Commands of a sandbox, which has a database of its own.
OF_A_SANDBOX = {
    "sandbox packages add": [f"--pin={PIN}", "--product=pk", "--capacity=1", OUT],
    "sandbox packages disable": ["1"],
    "sandbox packages enable": ["1"],
    "sandbox packages expire": ["1"],
    "sandbox packages list": [],
    "sandbox products list": [],
    "sandbox tokens list": [],
    "sandbox tokens revoke": ["a"],
}
# Commands of something else, which is not here either.
OTHERS = {
    "boards deploy": ["/dev/none", "--board=unix"],
    "boards info": ["/dev/none"],
    "boards list": [],
    "boards log": ["/dev/none"],
    "boards provision": ["/dev/none"],
    "boards reset": ["/dev/none"],
    "boards simulate": [IMEI, "--product=pk"],
    "boards wipe": ["/dev/none", "--yes"],
    "ca renew": [],
    "cipher derive": ["--random=ab"],
    "doctor": [],
    "factory balance": ["job"],
    "factory batch": ["job", "units.txt"],
    "factory credential": ["job"],
    "factory report": ["job"],
    "factory resume": ["job"],
    "factory run": ["job"],
    "gizwits batch": ["rows.csv", OUT],
    "gizwits derive": ["001122334455", "--product-key=pk", OUT],
    "gizwits key": ["001122334455", OUT],
    "gizwits packages": [],
    "gizwits result": ["1", OUT],
    "mqtt connect": ["--product=pk", "--device=d"],
    "mqtt sign": ["--product=pk", "--device=d"],
    "sandbox broker": [],
    "sandbox serve": [],
    "serve": [],
}
# What they are for is to make something.
MAKERS = {
    *("ca init", "demo", "factory plan", "gizwits login", "keys init"),
    *("operators add", "products add", "sandbox products add", "sandbox tokens add"),
}


def commands(group: Any = None, path: str = "") -> Iterator[str]:
    """The words of each command that there is."""
    group = group or typer.main.get_group(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name


def made(home: Path) -> list[str]:
    """All that is in the home by now."""
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: DataFolder) -> Path:
    """An empty home, which is also the current folder; the data folder is not made."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("POINTCTL_DATA", str(folder / "data"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def file(home: Path) -> None:
    """A file of rows, the only thing there."""
    (home / "rows.csv").write_text(f"imei\n{IMEI}\n")


def test_each_command_is_one_of_them() -> None:
    """A new one has to be put where it belongs."""
    known = [*OF_A_REGISTRY, *OF_A_SANDBOX, *OTHERS, *MAKERS]
    assert sorted(known) == sorted(commands())


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("command", OF_A_REGISTRY)
def test_without_a_registry(command: str, home: Path, pointctl: Pointctl) -> None:
    """It fails with what to do next, and neither registry nor key nor file is made."""
    done = pointctl(*command.split(), *OF_A_REGISTRY[command])
    assert done.code == 1, done.err
    assert f"there is no registry at {home}/data/registry.sqlite" in done.err
    assert "pointctl products add" in done.err
    assert made(home) == ["rows.csv"]


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("command", OF_A_SANDBOX)
def test_without_a_sandbox(command: str, home: Path, pointctl: Pointctl) -> None:
    """The same of the sandbox's database."""
    done = pointctl(*command.split(), *OF_A_SANDBOX[command])
    assert done.code == 1, done.err
    assert f"there is no sandbox at {home}/data/gizwits-sandbox.sqlite" in done.err
    assert "pointctl sandbox products add" in done.err
    assert made(home) == ["rows.csv"]


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("command", OTHERS)
def test_without_anything(command: str, home: Path, pointctl: Pointctl) -> None:
    """Whatever it says, it makes nothing."""
    done = pointctl(*command.split(), *OTHERS[command])
    assert done.code != 2, done.err  # it was understood
    assert made(home) == ["rows.csv"]


def test_an_empty_database_stays_empty(
    postgres: Cluster, home: Path, pointctl: Pointctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a server, too; its password is not shown."""
    url = postgres.new_database()
    monkeypatch.setenv("POINTCTL_DATABASE", url)
    done = pointctl("devices", "list")
    assert done.code == 1
    assert "there is no registry at postgresql://pointctl:***@127.0.0.1" in done.err
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = "
    assert postgres.run(f"{tables}'public'", url.rpartition("/")[2]) == []
    assert made(home) == []


@pytest.mark.parametrize(
    "command",
    [
        ("serve",),
        ("serve", "--mqtt-hook-token-file=token"),
        ("serve", "--metrics-port={port}", "--port=0"),
        ("sandbox", "serve"),
        ("sandbox", "broker"),
    ],
    ids=["serve", "hook", "metrics", "sandbox", "broker"],
)
def test_an_address_that_is_taken(
    command: tuple[str, ...], home: Path, pointctl: Pointctl
) -> None:
    """The server ends before it has made registry, keys or token."""
    certificates.init(home / "data/ca")
    before = made(home)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = [word.format(port=port) for word in command]
        if "--port=0" not in words:
            words.append(f"--port={port}")
        done = pointctl(*words)
    assert done.code == 1
    assert "Address already in use" in done.err
    assert made(home) == before

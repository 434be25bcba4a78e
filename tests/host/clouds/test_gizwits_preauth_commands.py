"""pointctl gizwits and pointctl sandbox, against a sandbox that serves."""

import csv
import importlib.metadata
import io
import json
import sys
from types import ModuleType
from typing import Any

import pytest

from point.gizwits import authkey
from pointctl.clouds.gizwits.preauth.customer_secrets import AUTH_CODE, AUTHORIZATION
from pointctl.clouds.gizwits.preauth.sandbox.models import KeyMode
from pointctl.folder import DataFolder
from tests.host import serving
from tests.host.preauth import SECRET, Sandbox, customer, filled_database, xlsx
from tests.host.serving import PRODUCT


@pytest.fixture(scope="module")
def served(tmp_path_factory, authority):
    """A database, and a sandbox that serves it."""
    folder = DataFolder(tmp_path_factory.mktemp("served") / "data")
    with filled_database(folder) as database:
        server = Sandbox(folder.path, authority, "--algorithm", authkey.NAME)
        yield database, server
        assert server.stop() == 0
    assert not folder.registry.exists()
    assert not folder.database_key.exists()


@pytest.fixture
def who(served, monkeypatch):
    """A customer with ten keys, as the environment has it."""
    database, server = served
    made = customer(database)
    names = {
        "URL": server.url,
        "CA": str(server.ca_file),
        "PIN": made.pin,
        "AUTHORIZATION": made.authorization,
        "AUTH_CODE": made.auth_code,
    }
    for name, value in names.items():
        monkeypatch.setenv(f"POINTCTL_GIZWITS_{name}", value)
    return made


@pytest.fixture
def imei(who):
    """IMEIs of this test's own: a device has its key from one customer."""
    return lambda number: serving.imei(int(who.pin, 16) * 100 + number)


def private(path):
    return path.stat().st_mode & 0o777 == 0o600


def test_one_key(pointctl, who, tmp_path, imei):
    """Into a file, or shown; the same each time."""
    out = tmp_path / "one.authkey"
    done = pointctl("gizwits", "key", imei(1), "--out", out)
    assert (done.code, done.out) == (0, f"wrote the auth_key to {out}\n")
    key = out.read_text().strip()
    assert private(out)
    assert len(bytes.fromhex(key)) == 16
    shown = pointctl("gizwits", "key", imei(1), "--show")
    assert shown.out == key + "\n"
    told = pointctl("gizwits", "key", imei(1), "--show", "--json").json
    assert (told["mac"], told["pin"], told["auth_key"]) == (imei(1), who.pin, key)
    told = pointctl("gizwits", "key", imei(1), "--out", out, "--json").json
    assert "auth_key" not in told
    assert who.size() == 1


def test_where_a_key_goes_must_be_said(pointctl, who, tmp_path, imei):
    """And nothing is spent before it is."""
    both = ["--show", "--out", tmp_path / "x"]
    for options in ([], both):
        assert pointctl("gizwits", "key", imei(1), *options).code == 2
    assert who.size() == 0


def test_refusals_say_what_to_do(pointctl, who, monkeypatch, imei):
    """Exit code 3, one line, and no secret in it."""
    monkeypatch.setenv(AUTH_CODE.variable, "canary7f3a")
    done = pointctl("gizwits", "key", imei(1), "--show")
    assert (done.code, done.out) == (3, "")
    assert "INVALID_AUTH_CODE (3)" in done.err
    assert "check that the auth_code belongs" in done.err
    assert "canary" not in done.err
    monkeypatch.setenv("POINTCTL_GIZWITS_URL", "https://localhost:1")
    done = pointctl("gizwits", "--timeout", "1", "key", imei(1), "--show")
    assert done.code == 1
    assert "cannot be reached" in done.err
    monkeypatch.delenv("POINTCTL_GIZWITS_PIN")
    assert pointctl("gizwits", "key", imei(1), "--show").code == 2


def test_where_secrets_come_from(pointctl, who, data, tmp_path, monkeypatch):
    """A file that is named, the environment, what login kept; in this order."""
    code, other = tmp_path / "code", tmp_path / "other"
    for path, text in ((code, who.auth_code), (other, "wrong")):
        path.touch(0o600)
        path.write_text(text + "\n")
    monkeypatch.setenv(AUTH_CODE.variable, "wrong")
    done = pointctl("gizwits", "--auth-code-file", code, "packages", "--json")
    assert done.json["left"] == 10
    code.chmod(0o644)
    done = pointctl("gizwits", "--auth-code-file", code, "packages")
    assert (done.code, "chmod 600" in done.err) == (1, True)
    code.chmod(0o600)
    monkeypatch.delenv(AUTH_CODE.variable)
    done = pointctl("gizwits", "packages")
    assert done.code == 1
    assert "gizwits login" in done.err
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(who.authorization + "\n")
    monkeypatch.delenv(AUTHORIZATION.variable)
    files = ["--authorization-file", token, "--auth-code-file"]
    assert pointctl("gizwits", *files, other, "login").code == 0
    assert pointctl("gizwits", *files, code, "login").code == 0
    for name in (AUTHORIZATION.entry, AUTH_CODE.entry):
        assert private(data.path / name)
    assert pointctl("gizwits", "packages", "--json").json["left"] == 10


def test_login_asks_at_a_terminal_only(pointctl, data, monkeypatch):
    """No secret is an argument."""
    done = pointctl("gizwits", "login")
    assert (done.code, "no terminal" in done.err) == (1, True)
    typed = iter(["an authorization", "anauthcode"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    assert pointctl("gizwits", "login").code == 0
    assert AUTHORIZATION.read(data.path, None) == "an authorization"
    assert AUTH_CODE.read(data.path, None) == "anauthcode"


def test_login_in_the_keyring(pointctl, data, tmp_path, monkeypatch):
    """Unless a file is in its way, or the package is not there."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    files = ["--authorization-file", tmp_path / "a", "--auth-code-file", tmp_path / "c"]
    for path in (tmp_path / "a", tmp_path / "c"):
        path.touch(0o600)
        path.write_text(f"the {path.name}\n")
    done = pointctl("gizwits", *files, "login", "--keyring")
    assert (done.code, "pointaccess[keyring]" in done.err) == (1, True)
    package: Any = ModuleType("keyring")
    failures: Any = ModuleType("keyring.errors")
    failures.KeyringError = failures.NoKeyringError = OSError
    kept = {}
    package.set_password = lambda service, user, text: kept.update({user: text})
    package.get_password = lambda service, user: kept.get(user)
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", failures)
    assert pointctl("gizwits", *files, "login", "--keyring").code == 0
    assert AUTHORIZATION.read(data.path, None) == "the a"
    assert AUTH_CODE.read(data.path, None) == "the c"
    assert pointctl("gizwits", *files, "login").code == 0
    done = pointctl("gizwits", *files, "login", "--keyring")
    assert (done.code, "remove it first" in done.err) == (3, True)


def test_a_batch(pointctl, who, tmp_path, imei):
    """From a workbook of numbers to a CSV file that only its owner can read."""
    file, out = tmp_path / "imei.xlsx", tmp_path / "keys.csv"
    file.write_bytes(xlsx(("IMEI",), *((float(imei(n)),) for n in range(5))))
    done = pointctl("gizwits", "batch", file, "--out", out)
    assert (done.code, done.out) == (0, f"wrote 5 keys to {out}\n")
    assert "if this ends: pointctl gizwits result" in done.err
    assert private(out)
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["mac"] for row in rows] == [imei(n) for n in range(5)]
    assert len({row["auth_key"] for row in rows}) == 5
    again = pointctl("gizwits", "batch", file, "--out", out)
    assert (again.code, "name another file" in again.err) == (3, True)
    told = pointctl("gizwits", "batch", file, "--out", tmp_path / "2", "--json").json
    assert (told["success"], told["failed"]) == (5, [])
    third = pointctl("gizwits", "result", told["batch"], "--out", tmp_path / "3")
    assert third.code == 0
    assert (tmp_path / "3").read_text() == out.read_text()
    as_is = pointctl("gizwits", "batch", file, "--as-is", "--out", tmp_path / "4")
    assert as_is.code == 0
    assert (tmp_path / "4").read_text() == out.read_text()
    assert who.size() == 5


def test_a_batch_that_fails_in_part(pointctl, who, tmp_path, imei):
    """Exit code 4; the file has the keys, and the reasons."""
    other = customer(who.database)
    options = ["--pin", other.pin, "--auth-code-file", tmp_path / "code"]
    options += ["--authorization-file", tmp_path / "token"]
    for name, text in (("code", other.auth_code), ("token", other.authorization)):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(text)
    assert pointctl("gizwits", *options, "key", imei(1), "--show").code == 0
    file, out = tmp_path / "macs.txt", tmp_path / "keys.csv"
    file.write_text("".join(f"{imei(n)}\n" for n in range(3)))
    done = pointctl("gizwits", "batch", file, "--out", out, "--json")
    assert (done.code, done.json["success"]) == (4, 2)
    assert done.json["failed"] == [{"mac": imei(1), "error": "GAGENT_EXIST"}]
    assert "1 of 3 devices have no key" in done.err
    assert f"{imei(1)},,GAGENT_EXIST\n" in out.read_text()


@pytest.mark.parametrize(
    ("content", "why"),
    [("", "empty"), ("02004c4f4f50\n" * 2, "line 2 repeats"), ("x\n", "line 1")],
)
def test_a_list_is_checked_first(pointctl, who, tmp_path, content, why):
    """Nothing is sent."""
    file = tmp_path / "macs.txt"
    file.write_text(content)
    done = pointctl("gizwits", "batch", file, "--out", tmp_path / "keys.csv")
    assert (done.code, why in done.err) == (1, True)
    assert who.size() == 0


def test_how_many_are_left(pointctl, who):
    """A table, a sum, and a warning by exit code 4; a disabled package has none."""
    who.top_up(5)
    done = pointctl("gizwits", "packages", "--warn-below", "15")
    assert done.code == 0
    assert done.out.endswith("15 keys are left\n")
    done = pointctl("gizwits", "packages", "--warn-below", "16")
    assert (done.code, "fewer than 16" in done.err) == (4, True)
    assert who.auth_code not in done.out + done.err
    who.change(is_enabled=False)
    told = pointctl("gizwits", "packages", "--warn-below", "6", "--json")
    assert (told.code, told.json["left"], told.json["low"]) == (4, 5, True)
    assert [row["is_enabled"] for row in told.json["packages"]] == [False, True]
    assert who.auth_code not in told.out


def test_keys_that_devices_make(pointctl, who, tmp_path, monkeypatch, imei):
    """The tool makes what the sandbox makes; a wrong secret is noticed."""
    maker = customer(who.database, mode=KeyMode.DEVICE)
    monkeypatch.setenv("POINTCTL_GIZWITS_PIN", maker.pin)
    monkeypatch.setenv(AUTH_CODE.variable, maker.auth_code)
    monkeypatch.setenv(AUTHORIZATION.variable, maker.authorization)
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(SECRET)
    options = ["--product-key", PRODUCT, "--product-secret-file", file, "--show"]
    derived = pointctl("gizwits", "derive", imei(1), *options, "--json").json
    assert derived["algorithm"] == authkey.NAME
    entered = pointctl("gizwits", "key", imei(1), *options)
    assert entered.out == derived["auth_key"] + "\n"
    file.write_text("another")
    refused = pointctl("gizwits", "key", imei(2), *options)
    assert (refused.code, "INVALID_AUTH_KEY" in refused.err) == (3, True)
    unknown = pointctl("gizwits", "derive", imei(1), *options, "--algorithm", "x")
    assert (unknown.code, authkey.NAME in unknown.err) == (1, True)
    assert maker.size() == 1


def test_what_the_sandbox_gives_out(pointctl, sandbox_database, tmp_path):
    """Packages and Authorizations: made, listed without secrets, ended."""
    code, token = tmp_path / "code", tmp_path / "token"
    add = ["sandbox", "packages", "add", "--pin", "abc", "--product", PRODUCT]
    done = pointctl(*add, "--capacity", "5", "--out", code, "--json")
    number = str(done.json["package"])
    assert private(code)
    secret = code.read_text().strip()
    done = pointctl(*add, "--capacity", "7", "--auth-code-file", code)
    assert done.code == 0
    assert pointctl(*add, "--capacity", "7").code == 2
    unlike = pointctl(
        *add, "--capacity", "7", "--auth-code-file", code, "--mode", "device"
    )
    assert (unlike.code, "this auth_code is for" in unlike.err) == (3, True)
    assert pointctl("sandbox", "packages", "disable", number).code == 0
    assert pointctl("sandbox", "packages", "expire", number, "--days", "2").code == 0
    listed = pointctl("sandbox", "packages", "list", "--json")
    assert [row["is_enabled"] for row in listed.json] == [False, True]
    assert listed.json[0]["expires_at"] > listed.json[0]["created_at"]
    assert pointctl("sandbox", "packages", "enable", number).code == 0
    assert pointctl("sandbox", "packages", "list").out.count("abc") == 2
    assert pointctl("sandbox", "packages", "disable", "99").code == 1
    done = pointctl("sandbox", "tokens", "add", "line-1", "--out", token)
    assert done.code == 0
    assert private(token)
    again = pointctl("sandbox", "tokens", "add", "line-1", "--out", tmp_path / "x")
    assert again.code == 3
    assert not (tmp_path / "x").exists()
    assert pointctl("sandbox", "tokens", "revoke", "line-1").code == 0
    (row,) = pointctl("sandbox", "tokens", "list", "--json").json
    assert row["revoked_at"] is not None
    shown = pointctl("sandbox", "tokens", "list").out
    for hidden in (secret, token.read_text().strip()):
        assert hidden not in shown + listed.out + json.dumps(row)
    assert pointctl("sandbox", "tokens", "revoke", "line-2").code == 1
    wrong = pointctl("sandbox", "serve", "--algorithm", "theirs")
    assert (wrong.code, authkey.NAME in wrong.err) == (1, True)


def test_products_without_a_secret(pointctl, data, tmp_path):
    """Their devices have nothing to compute by."""
    assert pointctl("sandbox", "products", "add", "T", "--key", "bare").code == 0
    add = ["sandbox", "packages", "add", "--pin", "abc", "--product", "bare"]
    add += ["--capacity", "5", "--mode", "device", "--out", tmp_path / "code"]
    done = pointctl(*add)
    assert (done.code, "has no secret" in done.err) == (3, True)
    assert not (tmp_path / "code").exists()


def test_products_of_the_sandbox(pointctl, data, tmp_path):
    """Added with a secret from a file, and listed without it; no registry is made."""
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(SECRET + "\n")
    add = ["sandbox", "products", "add", "Tracker", "--key"]
    done = pointctl(*add, PRODUCT, "--secret-file", secret)
    assert (done.code, done.out) == (0, f"added product {PRODUCT}\n")
    assert "gizwits-sandbox-key: keep a copy" in done.err
    assert pointctl(*add, "bare", "--json").json["has_secret"] is False
    listed = pointctl("sandbox", "products", "list", "--json")
    found = [(row["product_key"], row["has_secret"]) for row in listed.json]
    assert found == [("bare", False), (PRODUCT, True)]
    assert SECRET not in listed.out + pointctl("sandbox", "products", "list").out
    again = pointctl(*add, "bare")
    assert (again.code, "take another key" in again.err) == (3, True)
    assert pointctl(*add, "a/b").code == 1
    secret.write_text("with a blank")
    wrong = pointctl(*add, "other", "--secret-file", secret)
    assert (wrong.code, "blank" not in wrong.err) == (1, True)
    package = ["sandbox", "packages", "add", "--pin", "abc", "--product", "other"]
    done = pointctl(*package, "--capacity", "5", "--out", tmp_path / "code")
    assert (done.code, "sandbox products add" in done.err) == (1, True)
    for path in data.path.iterdir():
        assert path.name.startswith("gizwits-sandbox")


def test_a_database_elsewhere(pointctl, data, tmp_path, monkeypatch):
    """By a URL, without a password in it."""
    url = f"sqlite:///{tmp_path / 'elsewhere' / 'x.sqlite'}"
    add = ["products", "add", "T", "--key", "pk1"]
    assert pointctl("sandbox", "--database", url, *add).code == 0
    assert "there is no sandbox" in pointctl("sandbox", "products", "list").err
    monkeypatch.setenv("POINTCTL_SANDBOX_DATABASE", url)
    (row,) = pointctl("sandbox", "products", "list", "--json").json
    assert row["product_key"] == "pk1"
    seen = "postgresql://u:canary@h/db"
    done = pointctl("sandbox", "--database", seen, "products", "list")
    assert (done.code, "canary" in done.err) == (2, False)
    assert "POINTCTL_SANDBOX_DATABASE" in done.err


def test_a_broker_without_its_package(pointctl, data, monkeypatch):
    """It says what to install, and makes nothing."""

    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    done = pointctl("sandbox", "broker")
    assert (done.code, "pointaccess[demo]" in done.err) == (1, True)
    assert not data.path.exists()

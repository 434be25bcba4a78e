"""The claim master: made once, for its owner's eyes only, in a file or the keyring."""

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from pointctl.errors import PointctlError
from pointctl.registry.keys import claim_keys as keys
from tests.host.serving import imei


class KeyringError(Exception):
    """What the package raises."""


class NoKeyringError(KeyringError):
    """What it raises where there is none."""


@pytest.fixture
def keyring(monkeypatch):
    """A stand-in for the package keyring; `broken` makes it fail."""
    package: Any = ModuleType("keyring")
    errors: Any = ModuleType("keyring.errors")
    errors.KeyringError, errors.NoKeyringError = KeyringError, NoKeyringError
    package.broken, package.entries = None, {}

    def get_password(*name):
        if package.broken:
            raise package.broken
        return package.entries.get(name)

    def set_password(service, user, password):
        if package.broken:
            raise package.broken
        package.entries[service, user] = password

    package.get_password, package.set_password = get_password, set_password
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return package


@pytest.fixture
def no_keyring(monkeypatch):
    """As if the package were not installed."""
    monkeypatch.setitem(sys.modules, "keyring", None)


def test_it_is_made_once(data):
    """32 random bytes in a file that only its owner may read."""
    assert keys.create_master(data)
    text = data.claim_master.read_text()
    assert not keys.create_master(data)
    assert data.claim_master.read_text() == text
    assert stat.S_IMODE(data.claim_master.stat().st_mode) == 0o600
    claim_keys = keys.open_keys(data)
    assert claim_keys.master == bytes.fromhex(text)
    assert len(claim_keys.master) == 32
    assert claim_keys.derive("a", imei(1)) != claim_keys.derive("a", imei(2))
    assert claim_keys.derive("a", imei(1)) != claim_keys.derive("b", imei(1))


def test_many_may_make_it_together(data):
    """One of them does."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keys.create_master(data), range(8)))
    assert made.count(True) == 1
    keys.open_keys(data)


def test_one_that_others_may_read_is_not_used(data):
    """It may have been read already."""
    keys.create_master(data)
    data.claim_master.chmod(0o640)
    for use in (keys.open_keys, keys.create_master):
        with pytest.raises(PointctlError, match=r"others may read .*: chmod 600"):
            use(data)


@pytest.mark.parametrize(
    "content", [b"", b"canary", b"ab" * 31, b"\xff\xfe", b"x" * 64]
)
def test_what_is_none_is_told_and_not_quoted(data, content):
    """Nor replaced."""
    keys.create_master(data)
    data.claim_master.write_bytes(content)
    for use in (keys.open_keys, keys.create_master):
        with pytest.raises(
            PointctlError, match="does not hold a claim master"
        ) as caught:
            use(data)
        assert "canary" not in str(caught.value) + str(caught.value.__cause__)
    assert data.claim_master.read_bytes() == content


@pytest.mark.usefixtures("no_keyring")
def test_without_one_there_are_no_keys(data):
    """Reading makes none."""
    with pytest.raises(PointctlError, match="pointctl keys init"):
        keys.open_keys(data)
    assert not data.path.exists()


@pytest.mark.usefixtures("no_keyring")
def test_without_the_package_the_keyring_is_not_used(data):
    """And what to install is said."""
    with pytest.raises(PointctlError, match=r"pointaccess\[keyring\]"):
        keys.create_master(data, in_keyring=True)


def test_it_can_live_in_the_keyring(data, keyring):
    """One entry a data folder; no file."""
    assert keys.create_master(data, in_keyring=True)
    assert not keys.create_master(data)
    assert not data.claim_master.exists()
    ((name, text),) = keyring.entries.items()
    assert name == ("pointctl", str(data.path.resolve()))
    assert keys.open_keys(data).master.hex() == text
    assert text not in repr(keys.open_keys(data))


def test_a_keyring_that_fails(data, keyring):
    """None at all is like no entry; a locked one is an error, not a new master."""
    keyring.broken = NoKeyringError("canary")
    with pytest.raises(PointctlError, match="no claim master"):
        keys.open_keys(data)
    keyring.broken = KeyringError("canary")
    for use in (keys.open_keys, keys.create_master):
        with pytest.raises(PointctlError, match="keyring cannot be read: KeyringError"):
            use(data)
    assert not data.claim_master.exists()


def test_a_keyring_that_cannot_be_written(data, keyring):
    """One line, which quotes nothing."""
    keyring.broken = NoKeyringError("canary")
    with pytest.raises(
        PointctlError, match="keyring cannot be written: NoKeyringError"
    ):
        keys.create_master(data, in_keyring=True)

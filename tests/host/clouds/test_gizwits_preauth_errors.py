"""Each of the sixteen errors, by the situation that leads to it, over real HTTPS."""

import pytest
from sqlalchemy import text

from point.gizwits import authkey
from pointctl.clouds.gizwits.preauth import errors
from pointctl.clouds.gizwits.preauth.client import PreauthClient
from pointctl.clouds.gizwits.preauth.sandbox import keys, stock
from pointctl.clouds.gizwits.preauth.sandbox.models import CallKind, KeyMode, TokenRole
from pointctl.folder import DataFolder
from tests.host.preauth import (
    SECRET,
    Sandbox,
    client_of,
    customer,
    filled_database,
    settings_of,
)
from tests.host.serving import PRODUCT, url_of

MAC = "02004c4f4f50"

# name, HTTP status, code and text, as in the document's table
DOCUMENT = """\
DATA_INVALID 400 1 data invalid
AUTH_FAILED 403 2 Authorization invalid
INVALID_AUTH_CODE 400 3 Invalid auth_code
PACKAGE_CAPACITY_NOT_ENOUGH 400 4 Package capacity not enough
GET_AUTH_KEY_IN_PROGRESS 400 5 Get auth_key in progress
GAGENT_EXIST 400 6 GAgent with this product_key and mac exist
INVALID_AUTH_KEY 400 7 Invalid auth_key
SYSTEM_ERROR 500 8 Uncaught exception
PACKAGE_NOT_FOUND 404 9 Package not found
AUTH_CODE_DISABLED 400 10 Package disabled
ROLES_INVALID 403 11 Roles invalid
MODE_INVALID 403 12 Mode invalid
PACKAGE_EXPIRED 400 13 Package expired
DECYPT_AUTH_KEY_ERROR 400 14 Decypt Auth Key Error
FILE_INVALID 400 15 Mac Address File Format Error
PACKAGE_TYPE_INVALID 400 16 Package type error, not support this method
"""


class World:
    """A sandbox that serves, and its database."""

    def __init__(self, database, folder, server):
        self.database = database
        self.folder = folder
        self.server = server

    def customer(self, capacity=10, **details):
        return customer(self.database, capacity, **details)

    def key(self, who, mac=MAC, auth_code=None, pin=None, computed=None):
        with client_of(self.server, who) as client:
            return client.auth_key(
                pin or who.pin, mac, auth_code or who.auth_code, computed
            )

    def batch(self, who, content=b"02004c4f4f50\n"):
        with client_of(self.server, who) as client:
            return client.batch(who.pin, who.auth_code, content, "macs.txt")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, tmp_path_factory, authority):
    """Its devices may make their keys by our algorithm."""
    folder = DataFolder(tmp_path_factory.mktemp("world") / "data")
    url = url_of(request, empty=True)
    with filled_database(folder, url) as database:
        server = Sandbox(folder.path, authority, "--algorithm", authkey.NAME, url=url)
        yield World(database, folder, server)
        server.stop()


def data_invalid(world):
    """A MAC of 11 characters."""
    world.key(world.customer(), mac="02004c4f4f5")


def auth_failed(world):
    """An Authorization that was revoked."""
    who = world.customer()
    world.key(who, mac="02004c4f4f52")
    (token,) = [t for t in stock.list_tokens(world.database) if t.pin == who.pin]
    stock.revoke_token(world.database, token.label)
    world.key(who, mac="02004c4f4f52")


def invalid_auth_code(world):
    """An auth_code of another customer."""
    world.key(world.customer(), auth_code=world.customer().auth_code)


def package_capacity_not_enough(world):
    """A second device where one key was bought; the first still has its own."""
    who = world.customer(1)
    first = world.key(who, mac="02004c4f4f54")
    assert world.key(who, mac="02:00:4C:4F:4F:54").auth_key == first.auth_key
    world.key(who, mac="02004c4f4f64")


def get_auth_key_in_progress(world):
    """A device in a batch that has not come to it: those before it are being done."""
    who = world.customer(100_000)
    with client_of(world.server, who) as client:
        for attempt in range(5):  # a machine may stand still while the batch runs
            macs = [f"{attempt * 10_000 + n:012x}" for n in range(4000)]
            content = "\n".join(macs).encode()
            client.batch(who.pin, who.auth_code, content, "macs.txt")
            client.auth_key(who.pin, macs[-1], who.auth_code)


def gagent_exist(world):
    """A device that got its key by another auth_code of the product."""
    mac = "02004c4f4f56"
    world.key(world.customer(), mac=mac)
    world.key(world.customer(), mac=mac)


def invalid_auth_key(world):
    """A device that computed another key than the sandbox did."""
    who = world.customer(mode=KeyMode.DEVICE)
    world.key(who, mac="02004c4f4f57", computed="0" * 32)


def system_error(world):
    """A database that cannot be used."""
    who = world.customer()

    def rename(one, other):
        with world.database.exclusive() as session:
            session.execute(text(f"ALTER TABLE {one} RENAME TO {other}"))

    rename("gizwits_devices", "elsewhere")
    try:
        world.key(who)
    finally:
        rename("elsewhere", "gizwits_devices")


def package_not_found(world):
    """A customer that has bought nothing."""
    who = world.customer()
    token = stock.add_token(world.database, "everybody", TokenRole.ISSUE, None)
    with PreauthClient(settings_of(world.server, token)) as client:
        client.auth_key("f" * 32, MAC, who.auth_code)


def auth_code_disabled(world):
    """A package that was disabled: not even a key that it gave is given again."""
    who = world.customer()
    world.key(who, mac="02004c4f4f5a")
    who.change(is_enabled=False)
    world.key(who, mac="02004c4f4f5a")


def roles_invalid(world):
    """An Authorization that may only look."""
    who = world.customer(role=TokenRole.QUERY)
    with client_of(world.server, who) as client:
        assert len(list(client.packages(who.pin, who.auth_code))) == 1
    world.key(who)


def mode_invalid(world):
    """A computed key, where the cloud makes them."""
    world.key(world.customer(), computed="0" * 32)


def package_expired(world):
    """A new device, after the package has ended; the old one still has its key."""
    who = world.customer()
    mac = "02004c4f4f5d"
    first = world.key(who, mac=mac)
    who.change(days=0)
    assert world.key(who, mac=mac) == first
    world.key(who, mac="02004c4f4f5e")


def decypt_auth_key_error(world):
    """A device whose key was made from another secret than there is now."""
    key = f"pk{world.database.url.get_backend_name()}"
    secret = keys.open_maker(world.folder, None).secret
    stock.add_product(world.database, key, "T", SECRET, secret)
    who = world.customer(mode=KeyMode.DEVICE, product=key)
    world.key(who)
    with world.database.exclusive() as session:
        session.execute(
            text("UPDATE gizwits_devices SET key_check = 'x' WHERE product_key = :k"),
            {"k": key},
        )
    world.key(who)


def file_invalid(world):
    """A list with something else in it."""
    world.batch(world.customer(), f"{MAC}\nno mac at all\n".encode())


def package_type_invalid(world):
    """A batch, of a package for single keys."""
    world.batch(world.customer(kind=CallKind.SINGLE))


SITUATIONS = {
    errors.DataInvalid: data_invalid,
    errors.AuthFailed: auth_failed,
    errors.InvalidAuthCode: invalid_auth_code,
    errors.PackageCapacityNotEnough: package_capacity_not_enough,
    errors.GetAuthKeyInProgress: get_auth_key_in_progress,
    errors.GagentExist: gagent_exist,
    errors.InvalidAuthKey: invalid_auth_key,
    errors.SystemFailure: system_error,
    errors.PackageNotFound: package_not_found,
    errors.AuthCodeDisabled: auth_code_disabled,
    errors.RolesInvalid: roles_invalid,
    errors.ModeInvalid: mode_invalid,
    errors.PackageExpired: package_expired,
    errors.DecyptAuthKeyError: decypt_auth_key_error,
    errors.FileInvalid: file_invalid,
    errors.PackageTypeInvalid: package_type_invalid,
}


@pytest.mark.parametrize("kind", SITUATIONS, ids=lambda kind: kind.name)
def test_each_error(world, kind):
    """The client raises its class, with the document's numbers and what to do."""
    with pytest.raises(errors.PreauthRefusal) as raised:
        SITUATIONS[kind](world)
    found = raised.value
    assert type(found) is kind
    line = f"{found.name} {found.status} {found.code} {found.text}"
    assert line in DOCUMENT.splitlines()
    assert found.todo in str(found)
    assert found.exit_code == (1 if found.code == 8 else 3)


def test_there_are_sixteen():
    """The table is the document's, and each of it has a situation."""
    kinds = errors.PreauthRefusal.by_code.values()
    lines = [f"{k.name} {k.status} {k.code} {k.text}" for k in kinds]
    assert lines == DOCUMENT.splitlines()
    assert set(SITUATIONS) == set(kinds)


def test_other_ways_to_each(world):
    """What the sandbox's rules say beside the situations above."""
    stranger = world.customer()
    with pytest.raises(errors.RolesInvalid):
        world.key(stranger, pin=world.customer().pin)
    with pytest.raises(errors.PackageTypeInvalid):
        world.key(world.customer(kind=CallKind.BATCH))
    with pytest.raises(errors.PackageCapacityNotEnough):
        world.batch(world.customer(1), b"02004c4f4f60\n02004c4f4f61\n")
    with pytest.raises(errors.DataInvalid), client_of(world.server, stranger) as client:
        client.batch_result("0" * 32)
    with pytest.raises(errors.RolesInvalid):
        world.batch(world.customer(role=TokenRole.QUERY), b"no list at all")
    who = world.customer(1)
    both = b"02004c4f4f62\n02:00:4C:4F:4F:62\n"
    with client_of(world.server, who) as client:
        done = client.wait_for_batch(world.batch(who, both))
        assert (done.success, done.failed) == (2, 0)
        one, other = client.keys(done)
    assert one.auth_key == other.auth_key
    assert who.size() == 1


def test_devices_that_make_their_keys(world):
    """The sandbox, the tool and the device come to the same key."""
    who = world.customer(mode=KeyMode.DEVICE)
    computed = authkey.derive(SECRET, PRODUCT, "866123456789018")
    entered = world.key(who, mac="866123456789018", computed=computed.upper())
    assert entered.auth_key == computed
    assert world.key(who, mac="866123456789018") == entered
    assert who.size() == 1


def test_without_an_algorithm_devices_make_none(sandbox_database, data, authority):
    """It is off unless it is named."""
    who = customer(sandbox_database, mode=KeyMode.DEVICE)
    server = Sandbox(data.path, authority)
    try:
        with client_of(server, who) as client:
            with pytest.raises(errors.ModeInvalid):
                client.auth_key(who.pin, MAC, who.auth_code)
            with pytest.raises(errors.ModeInvalid):
                client.batch(who.pin, who.auth_code, f"{MAC}\n".encode(), "macs.txt")
    finally:
        assert server.stop() == 0
    assert who.size() == 0


def test_a_lost_secret_is_noticed(sandbox_database, data, authority):
    """Another key is never given in place of the first."""
    who = customer(sandbox_database)
    for expected in (None, errors.DecyptAuthKeyError):
        server = Sandbox(data.path, authority)
        try:
            with client_of(server, who) as client:
                if expected is None:
                    client.auth_key(who.pin, MAC, who.auth_code)
                else:
                    with pytest.raises(expected):
                        client.auth_key(who.pin, MAC, who.auth_code)
        finally:
            server.stop()
        keys.secret_entry(data).path.unlink()

"""Secrets in the database: unreadable without a key that is kept elsewhere."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.config import Config
from serving import (
    KEYS,
    ON_BOTH,
    PRODUCT,
    Board,
    answer,
    device_key_board,
    imei,
    issue,
    log_in,
    product_secret,
    secrets_of,
)
from sqlalchemy import create_engine, select, text, update

from point import protocol
from point.host import protocol_server
from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.devices import device_csv, devices, products
from pointctl.registry.issuing import lifecycle, pool
from pointctl.registry.issuing.issuer import Answer, Issuer
from pointctl.registry.keys import rotation
from pointctl.registry.storage import encryption, vault
from pointctl.registry.storage.database import open_database, parsed
from pointctl.registry.storage.models import Credential, Policy, Source
from pointctl.registry.storage.vault import Vault, VaultError

CANARY = "canary-7f3ac1d8e5b24690"


@pytest.fixture
def filled(database):
    """Every kind of secret there is, each of them the canary with a number."""
    products.change(database, PRODUCT, "op", source=Source.POOL)
    entries = [
        pool.Entry(n, f"name-{n}", f"{CANARY}-{n}", f"{CANARY}-p{n}") for n in range(3)
    ]
    pool.fill(database, PRODUCT, entries, "op")
    issue(database, 0)
    products.change(database, PRODUCT, "op", source=Source.MINT)
    issue(database, 1)
    lifecycle.rotate(database, imei(1), PRODUCT, "op")
    return database


def clear(database):
    """All secrets as they are meant to be read."""
    boards = [issue(database, serial) for serial in (0, 1)]
    return boards, product_secret(database, PRODUCT), secrets_of(database, imei(1))


def stored(database):
    """All secrets as they are stored."""
    with database.snapshot() as session:
        connection = session.connection()
        return [
            row.secret
            for kind in encryption.KINDS
            for row in kind.not_under(connection, None, None)
        ]


@ON_BOTH
def test_nothing_is_stored_in_clear(filled):
    """Each under the key in use, each different, and each can be read."""
    boards, of_product, both = clear(filled)
    assert boards[0]["device"]["deviceSecret"] == f"{CANARY}-0"
    assert boards[0]["device"]["productSecret"] == f"{CANARY}-p0"
    assert boards[1]["device"]["productSecret"] == of_product
    texts = stored(filled)
    assert len(texts) == len(set(texts)) == 1 + 3 + 1 + 2 + 2
    key_id = rotation.status(filled)["key"]
    assert {each.split(".")[0] for each in texts} == {key_id}
    clears = [CANARY, of_product, *both]
    assert not [each for each in clears if each in " ".join(texts)]


def test_the_file_holds_none_of_them(filled, data):
    """Nor do the files beside it."""
    _, of_product, both = clear(filled)
    found = b"".join(path.read_bytes() for path in data.path.glob("registry.sqlite*"))
    assert [
        each for each in (CANARY, of_product, *both) if each.encode() in found
    ] == []
    assert PRODUCT.encode() in found


def test_one_that_was_moved_does_not_open(filled):
    """It is bound to its device: nobody logs in as another by copying a cell."""
    with filled.exclusive() as session:
        rows = session.scalars(select(Credential).order_by(Credential.id)).all()
        rows[0].encrypted_secret = rows[1].encrypted_secret
    with pytest.raises(VaultError, match="changed or moved"):
        issue(filled, 0)
    assert log_in(filled, f"{imei(1)}&{PRODUCT}", secrets_of(filled, imei(1))[0])


@pytest.mark.parametrize("change", ["x", "AAAA", "é"])
def test_one_that_was_changed_does_not_open(filled, change):
    """And the error does not quote it."""
    with filled.exclusive() as session:
        session.execute(
            update(Credential).values(
                encrypted_secret=Credential.encrypted_secret + change
            )
        )
    with pytest.raises(VaultError, match="changed or moved") as caught:
        secrets_of(filled, imei(1))
    assert "." not in str(caught.value)


def test_without_the_key_nothing_is_read_and_none_is_made(filled, data):
    """The message names the key by its id, and where it was looked for."""
    key_id = rotation.status(filled)["key"]
    data.database_key.rename(data.path / "elsewhere")
    with open_database(data.registry) as again:
        assert not rotation.status(again)["present"]
        with pytest.raises(VaultError, match=f"{key_id}.*database-key.*keyring"):
            issue(again, 1)
        with pytest.raises(VaultError):
            products.add(again, "T", mqtt_host="h")
        with pytest.raises(VaultError):
            rotation.rotate(again, "op")
        assert not data.database_key.exists()
        (data.path / "elsewhere").rename(data.database_key)
        assert issue(again, 1)  # found again without a restart


def test_the_key_may_be_in_the_environment(filled, data, monkeypatch):
    """Then the file is not read."""
    before = clear(filled)
    key = data.database_key.read_text()
    monkeypatch.setenv(vault.VARIABLE, key)
    data.database_key.unlink()
    with open_database(data.registry) as again:
        assert clear(again) == before
        with pytest.raises(VaultError, match="openssl rand -hex 32"):
            rotation.rotate(again, "op")
        monkeypatch.setenv(vault.VARIABLE, f"{'ab' * 32} {key}")
        assert rotation.rotate(again, "op")["changed"] == 9
        assert clear(again) == before
        assert not data.database_key.exists()


@pytest.mark.parametrize("wrong", ["", "canary", "ab" * 31, "ab" * 32 + " x"])
def test_what_is_no_key_is_not_quoted(data, wrong):
    """Nor replaced."""
    data.path.mkdir()
    data.database_key.write_text(wrong)
    data.database_key.chmod(0o600)
    with pytest.raises(VaultError, match="holds no database keys") as caught:
        open_database(data.registry)
    assert not wrong or wrong not in str(caught.value)
    assert data.database_key.read_text() == wrong


def test_one_that_others_may_read_is_not_used(database, data):
    """It may have been read already."""
    data.database_key.chmod(0o640)
    with (
        open_database(data.registry) as again,
        pytest.raises(PointctlError, match="chmod 600"),
    ):
        issue(again, 0)


def test_it_is_made_once(data):
    """By the first of many that open a fresh registry; for its owner only."""

    def open_and_issue(number):
        with open_database(data.registry) as opened:
            products.add(opened, "T", product_key=f"pk{number}", mqtt_host="h")
            return rotation.status(opened)["key"]

    with ThreadPoolExecutor(8) as several:
        ids = set(several.map(open_and_issue, range(8)))
    assert len(ids) == 1
    assert stat.S_IMODE(data.database_key.stat().st_mode) == 0o600
    assert len(data.database_key.read_text().split()) == 1


@ON_BOTH
def test_rotation(filled, data):
    """All under a new key; boards notice nothing, and the old key is dropped late."""
    before, first = clear(filled), rotation.status(filled)["key"]
    done = rotation.rotate(filled, "ann")
    assert (done["changed"], done["dropped"]) == (9, [])
    assert done["key"] != first
    assert {each.split(".")[0] for each in stored(filled)} == {done["key"]}
    assert clear(filled) == before
    assert len(data.database_key.read_text().split()) == 2
    again = rotation.rotate(filled, "ann")
    assert again["dropped"] == [first]
    assert clear(filled) == before
    (entry, _) = audit.listed(filled, what="key in use", limit=9)
    assert (entry["who"], entry["subject"]) == ("ann", f"database key {again['key']}")
    assert stat.S_IMODE(data.database_key.stat().st_mode) == 0o600


@ON_BOTH
def test_a_rotation_that_was_broken_off_goes_on(filled, monkeypatch):
    """Wherever it was: what is under either key can be read meanwhile."""
    before = clear(filled)
    replace = encryption.Kind.replace
    for survives in range(9):
        calls = iter(range(survives))

        def fail_later(kind, connection, row, changed, calls=calls):
            if next(calls, None) is None:
                raise OSError("power cut")
            return replace(kind, connection, row, changed)

        monkeypatch.setattr(encryption.Kind, "replace", fail_later)
        with pytest.raises(OSError, match="power cut"):
            rotation.rotate(filled, "op")
        assert clear(filled) == before
        monkeypatch.setattr(encryption.Kind, "replace", replace)
        rotation.rotate(filled, "op")
        assert rotation.status(filled)["under_others"] == 0
        assert clear(filled) == before


@ON_BOTH
def test_boards_enrol_during_a_rotation(filled):
    """In another process too, which learns of the key from the database."""
    products.add(filled, "K", product_key="pk-k", mqtt_host="h")
    rows = [devices.Row(n, imei(n), None) for n in range(60)]
    devices.register(filled, "pk-k", rows)
    boards = [device_key_board(n, "pk-k") for n in range(60)]
    with open_database(filled.url.render_as_string(hide_password=False)) as other:

        def enrol(number):
            registry = (filled, other)[number % 2]
            return answer(registry, boards[number].claim(1)).config

        secrets = []
        with ThreadPoolExecutor(4) as several:
            for start in (0, 20, 40):
                given = several.map(enrol, range(start, start + 20))
                rotation.rotate(filled, "op")
                secrets += [config["device"]["deviceSecret"] for config in given]
        for registry in (filled, other):
            assert [secrets_of(registry, imei(n), "pk-k")[0] for n in range(60)] == (
                secrets
            )


@pytest.fixture
def rotated_meanwhile(database, data, monkeypatch):
    """Rotates the key in another process: once, and twice when a secret is next read.

    What this process has read by then is under a key that it never had, and gone.
    """
    url = database.url.render_as_string(hide_password=False)
    decrypt = database.vault.decrypt
    rotations: list[object] = []

    def late(stored, to):
        if not rotations:
            rotations.append(None)
            for _ in range(2):
                rotation.rotate(other, "op")
        return decrypt(stored, to)

    with open_database(url, data) as other:

        def begin():
            rotation.rotate(other, "op")
            monkeypatch.setattr(database.vault, "decrypt", late)

        yield begin
    assert rotations


def claim_of(database, policy, serial=1):
    """What a board of a product with this policy sends."""
    if policy is Policy.OPEN:
        return {"imei": imei(serial), "productKey": PRODUCT}
    products.add(database, "S", product_key="pk-s", policy=policy, mqtt_host="h")
    devices.register(database, "pk-s", [devices.Row(1, imei(serial), None)])
    key = product_secret(database, "pk-s").encode()
    return Board(serial, key, "pk-s").claim(1)


@ON_BOTH
@pytest.mark.parametrize("policy", [Policy.OPEN, Policy.PRODUCT_SECRET])
@pytest.mark.parametrize("known", [False, True], ids=["first", "again"])
def test_a_claim_lives_through_two_rotations(
    database, rotated_meanwhile, policy, known
):
    """The board notices nothing: what it is given is read once more."""
    claim = claim_of(database, policy)
    if known:
        assert answer(database, claim).config
    rotated_meanwhile()
    given = answer(database, claim)
    assert given.code == protocol.SUCCESS
    assert answer(database, claim).config == given.config


@ON_BOTH
@pytest.mark.parametrize("policy", [Policy.OPEN, Policy.PRODUCT_SECRET])
def test_so_do_claims_that_come_together(database, rotated_meanwhile, policy):
    """Each for itself."""
    claim = claim_of(database, policy)
    assert answer(database, claim).config
    asked = protocol_server.decode_request(json.dumps(claim).encode()), None
    rotated_meanwhile()
    steps = Issuer(database, KEYS).answer_all([asked, asked])
    answers = [step if isinstance(step, Answer) else step() for step in steps]
    assert {each.code for each in answers} == {protocol.SUCCESS}
    assert answers[0].config == answers[1].config


@ON_BOTH
def test_so_does_a_log_in_at_the_broker(database, rotated_meanwhile):
    """It is no reason to turn a board away."""
    device = issue(database, 0)["device"]
    rotated_meanwhile()
    username = f"{device['deviceName']}&{PRODUCT}"
    assert log_in(database, username, device["deviceSecret"])


@ON_BOTH
def test_a_key_that_is_lost_is_told_at_once(database, data):
    """Not for ever asked again."""
    claim = claim_of(database, Policy.OPEN)
    assert answer(database, claim).config
    data.database_key.unlink()
    with (
        open_database(database.url.render_as_string(hide_password=False), data) as new,
        pytest.raises(VaultError, match="is neither in"),
    ):
        answer(new, claim)


def test_a_key_is_not_used_twice(filled, data):
    """Whoever knew it then would know what is under it now."""
    first = data.database_key.read_text()
    rotation.rotate(filled, "op")
    data.database_key.write_text(first + data.database_key.read_text())
    with pytest.raises(Refused, match="in use before"):
        rotation.rotate(filled, "op")


def first_release(url):
    """A registry of the first release, with secrets in clear."""
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", "pointctl.registry:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO products (product_key, name, product_secret, mqtt_host, "
                "mqtt_qos, clean_session, created_at) VALUES "
                f"('pk1', 'T', '{CANARY}-p', 'h', 1, :no, '2026-01-01')"
            ),
            {"no": False},
        )
        for number in range(1500):
            values = {"id": number, "imei": imei(number)}
            connection.execute(
                text(
                    "INSERT INTO devices (id, product_key, imei, device_name, state, "
                    "created_at, issued_at) VALUES (:id, 'pk1', :imei, :imei, "
                    "'issued', '2026-01-01 00:00:00', '2026-01-02 00:00:00')"
                ),
                values,
            )
            connection.execute(
                text(
                    "INSERT INTO credentials (device_id, device_secret, created_at) "
                    f"VALUES (:id, '{CANARY}-{number}', '2026-01-02 00:00:00')"
                ),
                values,
            )
    engine.dispose()


def check_upgraded(database):
    for number in (0, 499, 500, 1499):
        assert secrets_of(database, imei(number)) == [f"{CANARY}-{number}"]
    assert product_secret(database, "pk1") == f"{CANARY}-p"
    assert rotation.status(database)["under_others"] == 0


def test_an_old_registry_is_encrypted_when_it_is_upgraded(data):
    """Nothing of what was in clear stays in the file."""
    data.path.mkdir()
    first_release(f"sqlite:///{data.registry}")
    assert CANARY.encode() in data.registry.read_bytes()
    with open_database(data.registry) as database:
        check_upgraded(database)
        found = [path.read_bytes() for path in data.path.glob("registry.sqlite*")]
    assert CANARY.encode() not in b"".join(found)


def test_an_old_registry_in_postgresql_is_encrypted(data, postgres):
    """Nor in the files of its tables."""
    url = postgres.new_database()
    first_release(parsed(url).set(drivername="postgresql+psycopg"))
    with open_database(url, data) as database:
        check_upgraded(database)
        with database.snapshot() as session:
            names = text(
                "SELECT pg_relation_filepath(oid) FROM pg_class "
                "WHERE relname IN ('products', 'credentials')"
            )
            paths = list(session.scalars(names))
    postgres.run("CHECKPOINT")
    for path in paths:
        assert CANARY.encode() not in (postgres.folder / "data" / path).read_bytes()


def test_no_key_is_asked_for_what_is_no_secret(filled, data):
    """Lists and exports work without; so does a backup."""
    data.database_key.unlink()
    with open_database(data.registry) as again:
        with open("/dev/null", "w") as nowhere:
            assert device_csv.write(again, nowhere) == 10
        assert [each.product_key for each in products.listed(again)] == [PRODUCT]


def test_the_commands(pointctl, filled, data):
    """Rotate, and say which key is in use; a key is never printed."""
    key = data.database_key.read_text().strip()
    pointctl("--version")  # what was logged before is not the command's
    status = pointctl("keys", "database", "--json")
    assert status.json["present"]
    assert status.json["under_others"] == 0
    done = pointctl("keys", "rotate-database")
    assert (done.code, "9 secrets are now" in done.out) == (0, True)
    assert pointctl("keys", "database", "--json").json["key"] != status.json["key"]
    assert key not in done.out + done.err + status.out
    data.database_key.unlink()
    lost = pointctl("keys", "database")
    assert (lost.code, "NOT here" in lost.out) == (0, True)
    assert pointctl("keys", "rotate-database").code == 1


def test_keys_init_makes_both(pointctl, data):
    """And neither twice."""
    made = pointctl("keys", "init")
    assert str(data.claim_master) in made.out
    assert str(data.database_key) in made.out
    assert pointctl("keys", "init").out.count("unchanged") == 2
    pointctl("products", "add", "T", "--mqtt-host", "h")
    assert pointctl("keys", "database").code == 0


def test_a_vault_says_nothing_of_its_keys(data):
    """Nor do its errors."""
    keys = Vault(data)
    keys.make_first()
    key_id = keys.newest()
    shown = repr(keys) + repr(keys._seen)
    assert data.database_key.read_text().strip() not in shown
    box = keys.encrypt("secret", key_id, b"a")
    assert keys.decrypt(box, b"a") == "secret"
    with pytest.raises(VaultError):
        keys.decrypt(box, b"b")

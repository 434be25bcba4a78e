"""What the sandbox keeps and makes keys from, and algorithms of others."""

import uuid

import pytest
from preauth import customer
from serving import ON_BOTH, PRODUCT

from point.gizwits import authkey
from pointctl.clouds.gizwits.preauth import algorithms, errors, wire
from pointctl.clouds.gizwits.preauth.sandbox import keys
from pointctl.clouds.gizwits.preauth.sandbox.cloud import Cloud
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.clouds.gizwits.preauth.sandbox.models import Mode
from pointctl.errors import PointctlError
from pointctl.registry.storage.models import Base


@ON_BOTH
def test_no_secret_is_in_the_database(database, data):
    """No key, no auth_code, no Authorization; and the same key after all."""
    who = customer(database)
    keys.create_secret(data)
    cloud = Cloud(database, keys.open_maker(data, None))
    asked = wire.KeyRequest(
        pin=who.pin, mac="02004c4f4f50", auth_code=who.auth_code, auth_key=None
    )
    made = cloud.key(who.authorization, asked).auth_key
    with database.snapshot() as session:
        rows = [
            str(row)
            for table in Base.metadata.sorted_tables
            for row in session.execute(table.select())
        ]
    text = "\n".join(rows)
    assert "02004c4f4f50" in text
    for secret in (made, who.auth_code, who.authorization):
        assert secret not in text
    assert cloud.key(who.authorization, asked).auth_key == made
    assert "canary" not in repr(KeyMaker(b"canary", None))


def test_keys_of_the_cloud_look_random():
    """UUID 4, as the document's sample, and each device has another one."""
    maker = KeyMaker(bytes(32), None)
    made = {
        maker.make(Mode.CLOUD, product, None, f"{n:012x}")
        for n in range(500)
        for product in ("a", "b")
    }
    assert len(made) == 1000
    assert {uuid.UUID(key).version for key in made} == {4}
    other = KeyMaker(b"x" * 32, None).make(Mode.CLOUD, "a", None, "0" * 12)
    assert other not in made


def test_the_secret_of_the_sandbox(data):
    """Made once, for its owner's eyes; what is none is not used."""
    with pytest.raises(PointctlError, match="no secret of a sandbox"):
        keys.open_maker(data, None)
    assert keys.create_secret(data)
    assert not keys.create_secret(data)
    path = keys.entry(data).path
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("canary")
    with pytest.raises(PointctlError) as raised:
        keys.open_maker(data, None)
    assert "canary" not in str(raised.value)


def test_algorithms_of_others(tmp_path, monkeypatch):
    """An installed package offers one by an entry point, and it is found by name."""
    assert algorithms.names() == [authkey.NAME]
    (tmp_path / "theirs.py").write_text(
        "def derive(secret, key, mac):\n    return (mac + secret).ljust(32, '0')\n"
    )
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        f"[{algorithms.GROUP}]\nvendor-1 = theirs:derive\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert algorithms.names() == [authkey.NAME, "vendor-1"]
    maker = KeyMaker(bytes(32), algorithms.find("vendor-1"))
    made = maker.make(Mode.DEVICE, PRODUCT, "5ec", "02004c4f4f50")
    assert made == "02004c4f4f505ec".ljust(32, "0")
    with pytest.raises(PointctlError, match="vendor-1"):
        algorithms.find("vendor-2")
    with pytest.raises(errors.ModeInvalid):
        maker.make(Mode.DEVICE, PRODUCT, None, "02004c4f4f50")

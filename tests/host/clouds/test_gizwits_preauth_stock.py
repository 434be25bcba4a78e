"""What the sandbox keeps and makes keys from, and algorithms of others."""

import uuid

import pytest

from point.gizwits import authkey
from pointctl.clouds.gizwits.preauth import algorithms, errors, wire
from pointctl.clouds.gizwits.preauth.sandbox import keys
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.clouds.gizwits.preauth.sandbox.models import (
    GizwitsTable,
    KeyMode,
    SandboxProduct,
)
from pointctl.clouds.gizwits.preauth.sandbox.service import PreauthService
from pointctl.clouds.kit.sandbox_secret import SandboxSecret, SandboxSecretError
from pointctl.errors import PointctlError
from tests.host.preauth import ON_BOTH, SECRET, customer
from tests.host.serving import PRODUCT

MAKER = KeyMaker(SandboxSecret(bytes(32)))


@ON_BOTH
def test_no_secret_is_in_the_database(sandbox_database, data):
    """No key, code, Authorization or product secret; and the same key after all."""
    who = customer(sandbox_database)
    maker = keys.open_maker(data, None)
    service = PreauthService(sandbox_database, maker)
    asked = wire.KeyRequest(
        pin=who.pin, mac="02004c4f4f50", auth_code=who.auth_code, auth_key=None
    )
    made = service.issue_key(who.authorization, asked).auth_key
    with sandbox_database.snapshot() as session:
        rows = [
            str(row)
            for table in GizwitsTable.metadata.sorted_tables
            for row in session.execute(table.select())
        ]
    text = "\n".join(rows)
    assert "02004c4f4f50" in text
    for secret in (made, who.auth_code, who.authorization, SECRET):
        assert secret not in text
    assert service.issue_key(who.authorization, asked).auth_key == made
    assert "canary" not in repr(KeyMaker(SandboxSecret(b"canary")))
    with sandbox_database.snapshot() as session:
        product = session.get_one(SandboxProduct, PRODUCT)
    assert maker.product_secret(product) == SECRET
    product.product_key = "pk-another"  # as if it were moved to another row
    for other in (MAKER, maker):
        with pytest.raises(SandboxSecretError, match="pk-another"):
            other.product_secret(product)


def test_keys_of_the_cloud_look_random():
    """UUID 4, as the document's sample, and each device has another one."""
    made = {
        MAKER.make(KeyMode.CLOUD, SandboxProduct(product_key=key), f"{n:012x}")
        for n in range(500)
        for key in ("a", "b")
    }
    assert len(made) == 1000
    assert {uuid.UUID(key).version for key in made} == {4}
    product = SandboxProduct(product_key="a")
    other = KeyMaker(SandboxSecret(b"x" * 32)).make(KeyMode.CLOUD, product, "0" * 12)
    assert other not in made


def test_the_secret_of_the_sandbox(data):
    """Made once, for its owner's eyes; what is none is not used."""
    with pytest.raises(PointctlError, match="makes a secret"):
        keys.open_maker(data, None)
    assert keys.create_secret(data)
    assert not keys.create_secret(data)
    path = keys.secret_entry(data).path
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("canary")
    with pytest.raises(PointctlError) as raised:
        keys.open_maker(data, None)
    assert "canary" not in str(raised.value)


def test_algorithms_of_others(tmp_path, monkeypatch):
    """An installed package offers one by an entry point, and it is found by name."""
    assert algorithms.algorithm_names() == [authkey.NAME]
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
    assert algorithms.algorithm_names() == [authkey.NAME, "vendor-1"]
    maker = KeyMaker(MAKER.secret, algorithms.find_algorithm("vendor-1"))
    stored = maker.secret.encrypt("5ec", PRODUCT)
    product = SandboxProduct(product_key=PRODUCT, encrypted_secret=stored)
    made = maker.make(KeyMode.DEVICE, product, "02004c4f4f50")
    assert made == "02004c4f4f505ec".ljust(32, "0")
    with pytest.raises(PointctlError, match="vendor-1"):
        algorithms.find_algorithm("vendor-2")
    with pytest.raises(errors.ModeInvalid):
        maker.make(KeyMode.DEVICE, SandboxProduct(product_key=PRODUCT), "02004c4f4f50")

"""docs/protocol.md says what the code does, with the golden file's numbers."""

import json
import re
import subprocess
import sys

import pytest

from point import credentials, protocol
from point.host import protocol_server
from pointctl.registry.devices import devices, products
from pointctl.registry.keys.claim_keys import ClaimKeys
from pointctl.registry.storage import encryption, vault
from pointctl.registry.storage.models import Policy
from pointctl.server.device_api import wire
from tests.host.serving import answer
from tests.runtimes import ROOT

PAGE = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
GOLDEN = ROOT / "tests/golden/provisioning.json"
CASE, *_ = CASES = json.loads(GOLDEN.read_text(encoding="ascii"))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its first two lines."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines]


def test_the_golden_file_can_be_made_again(tmp_path) -> None:
    """By the script beside it, and it imports nothing of ours."""
    script = (GOLDEN.parent / "make_provisioning.py").read_text(encoding="utf-8")
    assert not re.search(r"^\s*(from|import) point", script, re.M)
    (tmp_path / "make.py").write_text(script)
    subprocess.run([sys.executable, "-I", tmp_path / "make.py"], check=True)
    assert (tmp_path / GOLDEN.name).read_bytes() == GOLDEN.read_bytes()


def test_the_example_is_the_golden_file_s() -> None:
    """Every number of it."""
    example = rows("Worked example")
    assert len(example) == 22
    for name, value in example:
        assert value == str(CASE[name]), name


def test_the_bodies_are_what_boards_send() -> None:
    """And the reply of version 1 is the plaintext."""
    bodies = [json.loads(text) for text in re.findall(r"```json\n(.*)\n```", PAGE)]
    reply, request, acknowledgement = bodies
    assert reply["result"] == json.loads(CASE["plaintext"])
    key = bytes.fromhex(CASE["claimKey"])
    names = {"imei": CASE["imei"], "productKey": CASE["productKey"]}
    number, time = CASE["requestId"], CASE["time"]
    assert request == protocol.claim(names, number, key, time)
    assert acknowledgement == protocol.acknowledge(names, number, key)


def test_every_code_has_its_row() -> None:
    """The table's, point.protocol's and the API page's are the same."""
    documented = {name: code for code, name, *_ in rows("Codes")}
    codes = {
        name: value
        for name, value in vars(protocol).items()
        if name.isupper() and isinstance(value, str) and len(value) == 5
    }
    known = {"NO_CODE_IN_REPLY", "FETCH_FAILED"}  # the board's own
    assert documented == {n: c for n, c in codes.items() if n not in known}
    api = wire.responses()
    said = set()
    for status in api.keys() - {200}:
        said |= api[status]["content"]["application/json"]["examples"].keys()
    assert said == set(documented.values()) - {protocol.SUCCESS}
    assert all(int(code[:3]) in api for code in said)


def test_every_member_of_a_result_has_its_row() -> None:
    """No more, no less."""
    named = {name for cell, *_ in rows("The result") for name in cell.split("`, `")}
    device = {"productKey", "productSecret", "deviceName", "deviceSecret", "authKey"}
    expected = {f"device.{name}" for name in device}
    assert named == expected | {f"connect.{name}" for name in credentials.CONNECT}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_server_takes_the_golden_requests(database, case) -> None:
    """It makes the same claim key, and the golden board could open its reply."""
    by_key = case["master"] is not None
    product = products.add(
        database,
        "Golden",
        policy=Policy.DEVICE_KEY if by_key else Policy.PRODUCT_SECRET,
        product_key=case["productKey"],
        mqtt_host="h",
    )
    with database.exclusive() as session:
        key_id = encryption.active_key(session.connection())
        secret, to = case["productSecret"], vault.bind_product(case["productKey"])
        stored = secret and database.vault.encrypt(secret, key_id, to)
        session.merge(product).encrypted_secret = stored
    devices.register(
        database, case["productKey"], [devices.ImportRow(1, case["imei"], None)]
    )
    members = ("imei", "productKey", "requestId", "time", "sign", "proof")
    request = {name: case[name] for name in members}
    master = ClaimKeys(bytes.fromhex(case["master"] or "00"))
    given = answer(database, request, keys=master)
    assert given.seal_key is not None
    assert given.seal_key.hex() == case["claimKey"]
    told = {name: case[name] for name in ("imei", "productKey", "requestId", "ack")}
    assert answer(database, told, keys=master).code == protocol.SUCCESS
    assert answer(database, request, keys=master).code == protocol.REPLAYED
    sealed = protocol_server.encode_sealed_reply(
        json.loads(case["plaintext"]),
        given.seal_key,
        case["requestId"],
        bytes.fromhex(case["iv"]),
    )
    assert json.loads(sealed)["sealed"] == case["sealed"]

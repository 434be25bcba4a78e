"""docs/alibaba.md says what the code does, and its numbers follow from each other.

Each is computed again from the page, by hashlib, hmac and `cryptography`, and once more
by point.
"""

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.modes import CBC

from point import mqttauth
from point.aliyun import cipher
from point.aliyun import login as aliyun
from tests.runtimes import ROOT

if TYPE_CHECKING:
    from point.credentials import Device

PAGE = (ROOT / "docs/alibaba.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """What stands under a heading of any level."""
    return re.split(rf"^#+ {re.escape(heading)}\n", PAGE, flags=re.M)[1].split("\n#")[0]


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its first two lines."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[2:]]
    return [[each.strip(" `").replace("\\|", "|") for each in row] for row in cells]


def signature(secret: str, text: str, method: str = "sha256") -> str:
    """HMAC by the standard library."""
    return hmac.new(secret.encode(), text.encode(), method).hexdigest()


def joined(members: dict[str, str]) -> str:
    """Names and values, sorted by name."""
    return "".join(name + value for name, value in sorted(members.items()))


def test_mqtt() -> None:
    """The password follows from the text, the text from the names."""
    found = dict(rows("Worked example: MQTT"))
    key, name, secret = (found[k] for k in ("productKey", "deviceName", "deviceSecret"))
    bare, extension, rest = found["client id"].split("|")
    assert rest == ""
    fields = dict(field.split("=") for field in extension.split(","))
    assert fields["signmethod"] == "hmacsha256"
    assert found["user"] == f"{name}&{key}"
    members = {"clientId": bare, "deviceName": name, "productKey": key}
    text = joined(members | {"timestamp": fields["timestamp"]})
    assert found["signText"] == text
    assert found["password"] == signature(secret, text)
    assert found["password by hmacsha1"] == signature(secret, text, "sha1")
    assert found["password by hmacmd5"] == signature(secret, text, "md5")
    device: Device = {"productKey": key, "deviceName": name, "deviceSecret": secret}
    assert aliyun.host(key) == found["host"]
    names = found["client id"], found["user"], found["password"]
    assert aliyun.login(device, {}) == names
    for method in ("hmacsha1", "hmacmd5"):
        login = aliyun.login(device, {"signMethod": method})
        assert login[2] == found["password by " + method]


@pytest.mark.parametrize(
    ("heading", "secret", "names"),
    [
        ("registration", "productSecret", ("deviceName", "productKey", "random")),
        ("sub-device", "deviceSecret", ("clientId", "deviceName", "productKey")),
    ],
)
def test_signatures(heading: str, secret: str, names: tuple[str, ...]) -> None:
    """Of a registration and of a sub-device; only the second has a timestamp."""
    found = dict(rows(f"Worked example: {heading}"))
    members = {name: found[name] for name in names}
    if heading == "sub-device":
        members["timestamp"] = aliyun.FIXED_TIME
    assert found["signText"] == joined(members)
    assert found["sign"] == signature(found[secret], found["signText"])
    assert found["sign"] == aliyun.sign("hmacsha256", found[secret], members)


def given() -> dict[str, str]:
    """What the examples of keys begin with."""
    line = re.search(r"^productSecret `.*:$", PAGE, re.M)
    assert line
    return dict(re.findall(r"(\w+) `([^`]+)`", line[0]))


def test_keys() -> None:
    """Each type's content by the formula of the table above it, then its sum."""
    inputs = given()
    parts = {
        "productSecret": inputs["productSecret"].encode(),
        "deviceSecret": inputs["deviceSecret"].encode(),
        '","': b"\x2c",
        "mac": bytes.fromhex(inputs["MAC"].replace(":", "")),
        "random": bytes.fromhex(inputs["random"]),
    }
    formulas = {int(row[0][0]): row[2] for row in rows("The provisioning cipher")}
    examples = rows("Worked example: keys")
    assert [int(row[0]) for row in examples] == sorted(formulas) == [3, 4, 6, 7]
    for number, content, total, key in examples:
        formula = formulas[int(number)]
        made = b"".join(parts[part] for part in formula.split(" || "))
        assert content == made.hex()
        assert total == hashlib.sha256(made).hexdigest()
        assert key == total[:32]
        secret = inputs[formula.split(" ")[0]]
        arguments = int(number), secret, inputs["random"], inputs["MAC"]
        assert cipher.provisioning_key(*arguments).hex() == total
        assert cipher.channel_key(*arguments).hex() == key


def test_channel() -> None:
    """Both modes, by `cryptography` and by point.aliyun.cipher, both ways."""
    key = bytes.fromhex(rows("Worked example: keys")[0][3])
    iv = bytes.fromhex(given()["random"])
    text = re.search(r"the text `(.*)`:", section("The channel"))
    assert text
    plain = text[1].encode()
    messages = dict(re.findall(r"^\| `(c..)` \| `(\w+)` \|$", PAGE, re.M))
    filled = plain.ljust(16, b"\0")
    for mode, chaining, data in (("cbc", CBC(iv), filled), ("cfb", CFB(iv), plain)):
        encryptor = Cipher(algorithms.AES(key), chaining).encryptor()
        assert bytes.fromhex(messages[mode]) == encryptor.update(data)
    cbc, cfb = (cipher.Channel(key, iv, mode) for mode in ("cbc", "cfb"))
    assert cbc.encrypt(plain) == messages["cbc"]
    assert cbc.decrypt(messages["cbc"]) == plain
    assert cfb.encrypt(plain) == bytes.fromhex(messages["cfb"])
    assert cfb.decrypt(bytes.fromhex(messages["cfb"])) == plain


def test_names() -> None:
    """Modules, schemes, methods and times that the page names are there."""
    for path in re.findall(r"`(point/\w+\.py|tests/[\w./]+\.json)`", PAGE):
        assert (ROOT / path).exists(), path
    for _, _, _, scheme in rows("Dynamic registration"):
        assert scheme in mqttauth.SCHEMES
    for method in aliyun.METHODS:
        assert f"`{method}`" in PAGE
    assert f"`{aliyun.FIXED_TIME}`" in PAGE

"""point.aliyun's cipher and login against `cryptography` and hmac, on generated input.

CPython's half of point.compat takes AES from `cryptography` too, so the same channels
are also opened on the real MicroPython, whose AES is its own.
"""

import hashlib
import hmac
import json
import random
import subprocess
from typing import Any

import pytest
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.modes import CBC, Mode
from hypothesis import example, given
from hypothesis import strategies as st

from point.aliyun import cipher
from point.aliyun import login as aliyun
from point.errors import PointError
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, micropython

BLOCKS = st.binary(min_size=16, max_size=16)
# What is legal in names and secrets: printable ASCII without blanks.
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
MACS = st.binary(min_size=6, max_size=6)
SEPARATORS = st.sampled_from(["", ":", "-"])


def encrypted(key: bytes, mode: Mode, data: bytes) -> bytes:
    """What `cryptography` makes of `data`."""
    made: Cipher[Any] = Cipher(algorithms.AES(key), mode)
    encryptor = made.encryptor()
    return encryptor.update(data) + encryptor.finalize()


def filled(data: bytes) -> bytes:
    """Zero bytes up to a whole block, and none if it is one."""
    return data.ljust(-(-len(data) // 16) * 16, b"\0")


@given(BLOCKS, BLOCKS, st.binary(max_size=100))
def test_cfb(key: bytes, iv: bytes, data: bytes) -> None:
    """CFB128 of single blocks is CFB128, for every length, in both directions."""
    channel = cipher.Channel(key, iv, "cfb")
    sent = encrypted(key, CFB(iv), data)
    assert channel.encrypt(data) == sent
    assert channel.decrypt(sent) == data


@given(BLOCKS, BLOCKS, st.binary(max_size=100).filter(lambda data: data[-1:] != b"\0"))
def test_cbc(key: bytes, iv: bytes, data: bytes) -> None:
    """CBC over zero-filled blocks, as hex in either case."""
    channel = cipher.Channel(key, iv, "cbc")
    sent = encrypted(key, CBC(iv), filled(data)).hex()
    assert channel.encrypt(data) == sent.upper()
    assert channel.decrypt(sent) == channel.decrypt(sent.upper()) == data


@example("0f" * 16)
@given(st.text() | st.text("0123456789abcdefABCDEF g\n", max_size=70))
def test_any_text_as_a_message(text: str) -> None:
    """It is decrypted, or refused as data: nothing else happens."""
    channel = cipher.Channel(bytes(16), bytes(16), "cbc")
    if _hex(text) and len(text) % 32 == 0:
        assert len(channel.decrypt(text)) <= len(text) // 2
    else:
        with pytest.raises(PointError, match="OPTION: data "):
            channel.decrypt(text)


@given(TEXTS, BLOCKS, MACS, SEPARATORS, st.booleans())
def test_provisioning_key(
    secret: str, nonce: bytes, mac: bytes, separator: str, upper: bool
) -> None:
    """The formula by hashlib, whatever the spelling of what is hex."""
    spelt, digits = (mac.hex(separator) if separator else mac.hex()), nonce.hex()
    if upper:
        spelt, digits = spelt.upper(), digits.upper()
    plain = hashlib.sha256(secret.encode() + b"," + nonce).digest()
    ble = hashlib.sha256(secret.encode() + b"," + mac + b"," + nonce).digest()
    for cipher_type, expected in ((None, plain), (3, plain), (4, plain), (6, ble)):
        found = cipher.provisioning_key(cipher_type, secret, digits, spelt)
        assert found == expected
        assert cipher.channel_key(cipher_type, secret, digits, spelt) == expected[:16]
    assert cipher.provisioning_key(7, secret, digits, spelt) == ble


@example("0F" * 16)
@example("0f-" * 6)
@given(st.text() | st.text("0123456789abcdefABCDEF :-.\n", max_size=40))
def test_any_text_as_a_random_or_a_mac(text: str) -> None:
    """A key only of 32 digits, and only of 12 between the usual separators."""
    bare = text.replace(":", "").replace("-", "").replace(".", "")
    for good, name, arguments in (
        (_hex(text) and len(text) == 32, "random", (3, "s", text)),
        (_hex(bare) and len(bare) == 12, "mac", (6, "s", "0" * 32, text)),
    ):
        if good:
            assert len(cipher.provisioning_key(*arguments)) == 32
        else:
            with pytest.raises(PointError, match=f"OPTION: {name} "):
                cipher.provisioning_key(*arguments)


@given(st.sampled_from(aliyun.METHODS), TEXTS, st.dictionaries(TEXTS, TEXTS))
def test_sign(method: str, secret: str, members: dict[str, str]) -> None:
    """The standard library's HMAC over the same text, for secrets of any length."""
    text = "".join(name + value for name, value in sorted(members.items()))
    expected = hmac.new(secret.encode(), text.encode(), method[4:]).hexdigest()
    assert aliyun.sign(method, secret, members) == expected


PROGRAM = """
import json, sys
sys.path.insert(0, {root!r})
from point.aliyun import login as aliyun, cipher
from point.compat import binascii
un, hexed = binascii.unhexlify, lambda data: binascii.hexlify(data).decode()
for line in sys.stdin:
    key, iv, data, cbc, cfb, secret, method = json.loads(line)
    by_hex, by_bytes = [cipher.Channel(un(key), un(iv), m) for m in ("cbc", "cfb")]
    print(json.dumps([
        by_hex.encrypt(un(data)),
        hexed(by_hex.decrypt(cbc)),
        hexed(by_bytes.encrypt(un(data))),
        hexed(by_bytes.decrypt(un(cfb))),
        hexed(cipher.provisioning_key(7, secret, iv, key[:12])),
        aliyun.sign(method, secret, {{"key": key, "iv": iv}}),
    ]))
"""


@pytest.fixture(scope="module")
def cases() -> list[tuple[list[str], list[str]]]:
    """What MicroPython is given, and what it must make of it; the same in each run."""
    dice = random.Random(20)
    made = []
    for number in range(200):
        key, iv, data = (dice.randbytes(n) for n in (16, 16, number % 70))
        data = data.rstrip(b"\0")
        secret = dice.randbytes(dice.randrange(1, 60)).hex()
        method = aliyun.METHODS[number % 3]
        cbc = encrypted(key, CBC(iv), filled(data)).hex()
        cfb = encrypted(key, CFB(iv), data).hex()
        formula = b"%s,%s,%s" % (secret.encode(), key[:6], iv)
        text = f"iv{iv.hex()}key{key.hex()}"
        made.append(
            (
                [key.hex(), iv.hex(), data.hex(), cbc, cfb, secret, method],
                [
                    *(cbc.upper(), data.hex(), cfb, data.hex()),
                    hashlib.sha256(formula).hexdigest(),
                    hmac.new(secret.encode(), text.encode(), method[4:]).hexdigest(),
                ],
            )
        )
    return made


def test_micropython(cases: list[tuple[list[str], list[str]]]) -> None:
    """Its own AES and hashes give what `cryptography` and hmac give."""
    done = subprocess.run(
        [micropython(), "-c", PROGRAM.format(root=str(ROOT))],
        input="".join(json.dumps(given) + "\n" for given, _ in cases),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [expected for _, expected in cases]


MODULES = """
import sys
sys.path.insert(0, {root!r})
from point import mqttauth, session, setup
connect = {{"host": "mqtt.example.com", "auth": {auth!r}, "clientId": "x"}}
device = {{"productKey": "pk", "deviceName": "name", "deviceSecret": "secret"}}
mqttauth.settings({{"device": device, "connect": connect}}, bytes)
names = "aliyun.login", "aliyun.cipher", "gizwits.login"
print([name for name in names if "point." + name in sys.modules])
"""


@pytest.mark.parametrize(
    ("auth", "loaded"),
    [
        ("plain", []),
        ("aliyun", ["aliyun.login"]),
        ("aliyun-token", ["aliyun.login"]),
        ("gizwits", ["gizwits.login"]),
        ("gizwits-classic", ["gizwits.login"]),
    ],
)
def test_what_a_board_loads(auth: str, loaded: list[str]) -> None:
    """All that main.py needs to set up and to connect, and of the clouds its own."""
    done = subprocess.run(
        [micropython(), "-c", MODULES.format(root=str(ROOT), auth=auth)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout.strip() == str(loaded), done.stderr


def _hex(text: str) -> bool:
    return all(char in "0123456789abcdefABCDEF" for char in text)

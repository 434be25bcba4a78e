"""Make provisioning.json: version 2's values by a path that is not ours.

Nothing of point/ is imported: the formulas of docs/protocol.md are written out here
once more, with the standard library's HMAC and the AES of the package cryptography.
`python tests/golden/make_provisioning.py` writes the file beside this one.
"""

import hashlib
import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

FILE = Path(__file__).with_name("provisioning.json")

CASES = [
    {
        "name": "device-key",
        "master": bytes(range(32)).hex(),
        "productSecret": None,
        "imei": "866123456789018",
        "productKey": "pk3f9a2c71",
        "requestId": "0123456789abcdef0123456789abcdef",
        "time": 1767225600,
        "deviceSecret": "8c4b1f0e5a6d7c3b2e9f1a0d4c5b6e7f",
        "iv": "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "connect": {"host": "mqtt.example.com", "qos": 1, "cleanSession": 0},
    },
    {
        "name": "product-secret, no clock",
        "master": None,
        "productSecret": "0d2e9b7a4c61f358",
        "imei": "490154203237518",
        "productKey": "meter",
        "requestId": "ffffffffffffffffffffffffffffffff",
        "time": 0,
        "deviceSecret": "00000000000000000000000000000000",
        "iv": "00000000000000000000000000000000",
        "connect": {
            "host": "10.0.0.1",
            "qos": 0,
            "cleanSession": 1,
            "port": 8883,
            "ssl": 1,
            "keepAlive": 120,
            "auth": "plain",
        },
    },
    {
        # HMAC hashes a key of more than 64 bytes first; both secrets are that long.
        "name": "secrets of 65 and 256 characters",
        "master": None,
        "productSecret": "p" * 64 + "!",
        "imei": "356938035643809",
        "productKey": "a-b_c.d:e@f",
        "requestId": "000102030405060708090a0b0c0d0e0f",
        "time": 1,
        "deviceSecret": "s" * 256,
        "iv": "101112131415161718191a1b1c1d1e1f",
        "connect": {"host": "h", "qos": 0, "cleanSession": 0},
    },
    {
        "name": "a master of 80 bytes, and names of 64 characters",
        "master": bytes(range(80)).hex(),
        "productSecret": None,
        "imei": "868123456789016",
        "productKey": "k" * 64,
        "requestId": "deadbeefdeadbeefdeadbeefdeadbeef",
        "time": 4102444800,
        "deviceSecret": "x",
        "iv": "ffffffffffffffffffffffffffffffff",
        "connect": {"host": "h" * 253, "qos": 1, "cleanSession": 0},
    },
]


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(key, message, hashlib.sha256).digest()


def worked(case: dict) -> dict:
    """The case with every value that follows from it, bytes as hex."""
    imei, product, request = case["imei"], case["productKey"], case["requestId"]
    if case["master"] is None:
        claim_text, claim_key = None, case["productSecret"].encode("ascii")
    else:
        claim_text = f"claim{product}imei{imei}"
        claim_key = mac(bytes.fromhex(case["master"]), claim_text.encode("ascii"))
    names = f"imei{imei}productKey{product}requestId{request}"
    sign_text = f"{names}time{case['time']}"
    ack_text = f"ack{names}time0"
    proof_text = f"proof{names}time{case['time']}"
    secret = case["deviceSecret"].encode("ascii")

    device = {"productKey": product, "productSecret": case["productSecret"]}
    if case["productSecret"] is None:
        del device["productSecret"]
    device.update(deviceName=imei, deviceSecret=case["deviceSecret"])
    result = {"device": device, "connect": case["connect"]}
    plaintext = json.dumps(result)
    seal_text = f"seal{request}"
    keys = mac(claim_key, seal_text.encode("ascii"))
    iv = bytes.fromhex(case["iv"])
    padder = PKCS7(128).padder()
    padded = padder.update(plaintext.encode("ascii")) + padder.finalize()
    encryptor = Cipher(algorithms.AES(keys[:16]), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    tag = mac(keys[16:], request.encode("ascii") + iv + ciphertext)
    return {
        **case,
        "claimText": claim_text,
        "claimKey": claim_key.hex(),
        "signText": sign_text,
        "sign": mac(claim_key, sign_text.encode("ascii")).hex(),
        "ackText": ack_text,
        "ack": mac(claim_key, ack_text.encode("ascii")).hex(),
        "proofText": proof_text,
        "proof": mac(secret, proof_text.encode("ascii")).hex(),
        "plaintext": plaintext,
        "sealText": seal_text,
        "ke": keys[:16].hex(),
        "km": keys[16:].hex(),
        "ciphertext": ciphertext.hex(),
        "mac": tag.hex(),
        "sealed": (iv + ciphertext + tag).hex(),
    }


def text() -> str:
    """What provisioning.json holds."""
    return json.dumps([worked(case) for case in CASES], indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")

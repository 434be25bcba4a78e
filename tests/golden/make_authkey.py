"""Make authkey.json: keys of our reference algorithm by a path that is not ours.

Nothing of point/ is imported: the formula of docs/gizwits.md is written out here once
more, with the HMAC of the package cryptography.
`python tests/golden/make_authkey.py` writes the file beside this one.
"""

import json
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

FILE = Path(__file__).with_name("authkey.json")

CASES = [
    ("a MAC", "0f1e2d3c4b5a6978", "aaaaaaaabbbbccccddddeeeeeeeeeeee", "02004c4f4f50"),
    ("an IMEI", "0f1e2d3c4b5a6978", "pk3f9a2c71", "866123456789018"),
    ("the name in the document", "0f1e2d3c4b5a6978", "pk3f9a2c71", "test00101011"),
    # HMAC hashes a key of more than 64 bytes first.
    ("a secret of 64 characters", "s" * 64, "k" * 64, "0123456789ab"),
    ("a secret of 65 characters", "s" * 65, "k", "ffffffffffff"),
    ("a secret that is not ASCII", "schlüssel-密钥", "meter", "490154203237518"),
]
# How people write what is the same MAC.
SPELLINGS = {"02004c4f4f50": ["02:00:4C:4F:4F:50", "02-00-4c-4f-4f-50", "02004C4F4F50"]}


def key(secret: str, product_key: str, mac: str) -> str:
    """The first half of the HMAC, as hex."""
    made = HMAC(secret.encode("utf-8"), SHA256())
    made.update(b"authkey," + product_key.encode("ascii") + b"," + mac.encode("ascii"))
    return made.finalize().hex()[:32]


def text() -> str:
    """What authkey.json holds."""
    names = "name", "productSecret", "productKey", "mac"
    cases = [
        dict(zip(names, case, strict=True))
        | {"spellings": SPELLINGS.get(case[3], []), "authKey": key(*case[1:])}
        for case in CASES
    ]
    return json.dumps(cases, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")

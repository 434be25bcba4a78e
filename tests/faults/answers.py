"""Thousands of answers made by a grammar; the board's own HTTP reads each of them.

What a board accepts is judged again here, by CPython's HTTP and JSON.
"""

import hashlib
import hmac
import http.client
import io
import json
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.faults.bench import Row, on_the_vm

KEY = b"the board's claim key, 32 bytes."


class _Wire(socket.socket):
    """What http.client takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: Any, **__: Any) -> Any:
        return io.BytesIO(self._data)


def opened(reply: dict[str, Any], request_id: str) -> dict[str, Any]:
    """A sealed result, by the words of the documented protocol."""
    keys = hmac.digest(KEY, b"seal" + request_id.encode(), hashlib.sha256)
    box = bytes.fromhex(reply["sealed"])
    mac = hmac.digest(keys[16:], request_id.encode() + box[:-32], hashlib.sha256)
    assert mac == box[-32:]
    aes = Cipher(algorithms.AES(keys[:16]), modes.CBC(box[:16])).decryptor()
    text = aes.update(box[16:-32]) + aes.finalize()
    return json.loads(text[: -text[-1]])


def judge(row: Row, case: dict[str, Any]) -> None:
    """A failure unless the accepted bytes do say what the board took from them."""
    try:
        response = http.client.HTTPResponse(_Wire(bytes.fromhex(case["wire"])))
        response.begin()
        assert response.status == 200
        reply = json.loads(response.read())
        assert reply["code"] == "00000"
        request_id = case["requestId"]
        result = opened(reply, request_id) if request_id else reply["result"]
        taken = case["config"]
        for part in ("device", "connect"):
            for name, value in taken[part].items():
                given = result[part].get(name)
                absent = 0 if part == "connect" else None
                assert value == (absent if given is None else given)
    except (AssertionError, KeyError, ValueError, http.client.HTTPException) as error:
        row.fail(f"accepted {case}: {error!r}")


def suites(seed: int, short: bool) -> Iterator[Callable[[], Row]]:
    """Boards with a claim key, and boards that speak the seed's version."""
    for sealed in (False, True):
        yield partial(
            on_the_vm,
            "answers_run.py",
            judge=judge,
            key=KEY.decode() if sealed else None,
            seed=seed,
            cases=200 if short else 4000,
        )

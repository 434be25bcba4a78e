"""point.strictjson against CPython's json, on generated documents.

They differ in three things, all on purpose: NaN and its kind are no JSON, UTF-8 is the
only encoding and has no byte order mark, and nesting ends at eight levels.
"""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from point import strictjson

REFUSED = object()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
# Near-JSON: what a broken server or a flipped bit makes of it.
PIECES = st.sampled_from(
    [
        *'"\\{}[]:,0-1.e+ \n\t\x00x\u00e9',
        '"a"',
        '"a":',
        "u00e9",
        "true",
        "false",
        "null",
    ]
)


def depth(value: Any) -> int:
    """How deep a document nests."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def refuse(constant: str) -> None:
    raise ValueError(constant)


def by_the_book(text: bytes) -> Any:
    """What CPython makes of it, under the three differences. ValueError if nothing."""
    if text.startswith(b"\xef\xbb\xbf"):
        raise ValueError("byte order mark")
    value = json.loads(text.decode(), parse_constant=refuse)
    if depth(value) > 8:
        raise ValueError("depth")
    return value


def verdict(loads: Callable[[bytes], Any], text: bytes) -> Any:
    """What `loads` reads from `text`, or REFUSED."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return REFUSED


def agree(text: bytes) -> None:
    """Both read the same from `text`, or neither reads anything."""
    assert verdict(strictjson.loads, text) == verdict(by_the_book, text)


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_what_json_writes(value: Any, ascii_only: bool, indent: int | None) -> None:
    """Whatever CPython writes is read the same, up to eight levels."""
    agree(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode())


@given(DOCUMENTS, st.data())
def test_damaged_documents(value: Any, data: st.DataObject) -> None:
    """Bytes that are cut off, left out, put in or changed: same verdict."""
    text = bytearray(json.dumps(value).encode())
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    text[start:end] = data.draw(st.binary(max_size=3))
    agree(bytes(text))
    agree(bytes(text[:start]))


@given(st.lists(PIECES, max_size=12).map("".join))
@example("[1 2]")
@example('{"a" 1}')
@example('{"a":1,}')
@example("-")
@example("1.e1")
@example("[" * 9 + "]" * 9)
@example("[" * 8 + "]" * 8)
def test_near_json(text: str) -> None:
    """JSON's own signs in any order: same verdict."""
    agree(text.encode())


@given(st.binary(max_size=40))
def test_any_bytes(text: bytes) -> None:
    """Anything at all: same verdict, and only ever a ValueError."""
    agree(text)

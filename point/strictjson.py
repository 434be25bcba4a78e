"""JSON by the book (RFC 8259).

MicroPython's own parser takes `,` and `:` for white space and forgives a missing `}`:
it accepts `{"a":1`, `{"a" 1}` and `{"a":1,}`. So the text is checked here first, in
one pass without recursion, and only then parsed by the runtime.
"""

from .compat import const, json

_DEPTH = const(8)
_VALUE = const(0)  # a value has to come
_FIRST = const(1)  # just after [: a value or ]
_KEY = const(2)  # after a comma in an object: a key
_FIRST_KEY = const(3)  # just after {: a key or }
_COLON = const(4)
_AFTER = const(5)  # a value is complete: a comma, a closing bracket, or the end


def loads(text):
    """Parse JSON bytes. ValueError if they are not JSON or nest deeper than 8."""
    _check(text)
    return json.loads(text)


def _check(text):
    end = len(text)
    at = 0
    want = _VALUE
    open_brackets = []
    while at < end:
        char = text[at]
        if char in b" \t\n\r":
            at += 1
        elif char in b"]}" and want in (_AFTER, _FIRST, _FIRST_KEY):
            # ] and } stand two places after [ and { in ASCII.
            if not open_brackets or char != open_brackets[-1] + 2:
                raise ValueError("bracket")
            if want != _AFTER and (want == _FIRST) != (char == 93):
                raise ValueError("bracket")
            open_brackets.pop()
            want = _AFTER
            at += 1
        elif want == _AFTER:
            if char != 44 or not open_brackets:
                raise ValueError("comma")
            want = _VALUE if open_brackets[-1] == 91 else _KEY
            at += 1
        elif want == _COLON:
            if char != 58:
                raise ValueError("colon")
            want = _VALUE
            at += 1
        elif char == 34:
            at = _string(text, at + 1, end)
            want = _COLON if want in (_KEY, _FIRST_KEY) else _AFTER
        elif want in (_KEY, _FIRST_KEY):
            raise ValueError("key")
        elif char in b"[{":
            if len(open_brackets) == _DEPTH:
                raise ValueError("depth")
            open_brackets.append(char)
            want = _FIRST if char == 91 else _FIRST_KEY
            at += 1
        else:
            at = _scalar(text, at, end)
            want = _AFTER
    if want != _AFTER or open_brackets:
        raise ValueError("cut short")


def _string(text, at, end):
    while at < end:
        char = text[at]
        at += 1
        if char == 34:
            return at
        if char < 32:
            raise ValueError("control character")
        if char == 92:
            if at >= end or text[at] not in b'"\\/bfnrtu':
                raise ValueError("escape")
            if text[at] == 117:
                if at + 5 > end:
                    raise ValueError("escape")
                for digit in text[at + 1 : at + 5]:
                    if digit not in b"0123456789abcdefABCDEF":
                        raise ValueError("escape")
                at += 4
            at += 1
    raise ValueError("cut short")


def _scalar(text, at, end):
    for word in (b"true", b"false", b"null"):
        if text[at : at + len(word)] == word:
            return at + len(word)
    if text[at] == 45:
        at += 1
    start = at
    at = _digits(text, at, end)
    if text[start] == 48 and at > start + 1:
        raise ValueError("leading zero")
    if at < end and text[at] == 46:
        at = _digits(text, at + 1, end)
    if at < end and text[at] in b"eE":
        at += 1
        if at < end and text[at] in b"+-":
            at += 1
        at = _digits(text, at, end)
    return at


def _digits(text, at, end):
    start = at
    while at < end and 48 <= text[at] <= 57:
        at += 1
    if at == start:
        raise ValueError("value")
    return at

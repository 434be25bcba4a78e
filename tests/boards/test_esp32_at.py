"""firmware/esp32/at.py parses every answer of a modem, in pieces of any size."""

import calendar
import importlib.util
import itertools
import time
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtimes import ROOT

IMEI = "490154203237518"
LOCAL = '"26/11/22,08:30:12+32"'
# The answer to each command, from manuals and logs of modules.
TRANSCRIPTS = [
    ("AT+CGSN", f"AT+CGSN\r\r\n{IMEI}\r\n\r\nOK\r\n", [IMEI], "OK"),
    ("AT+CGSN", f'AT+CGSN\r\r\n+CGSN: "{IMEI}"\r\n\r\nOK\r\n', [f'"{IMEI}"'], "OK"),
    ("AT+GSN", f"\r\nRDY\r\n\r\n{IMEI}\r\n\r\nOK\r\n", ["RDY", IMEI], "OK"),
    ("AT+GSN", "\r\nERROR\r\n", [], "ERROR"),
    ("AT", "\x00\xff\xfe\r\nRDY\r\n\r\nOK\r\n", ["RDY"], "OK"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n", ["READY"], "OK"),
    (
        "AT+CPIN?",
        "AT+CPIN?\r\r\nSMS DONE\r\n\r\n+QIND: PB DONE\r\n"
        "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n",
        ["SIM PIN"],
        "OK",
    ),
    ("AT+CPIN?", "\r\n+CME ERROR: 10\r\n", [], "CME ERROR: 10"),
    (
        "AT+CPIN?",
        "\r\n+CME ERROR: SIM not inserted\r\n",
        [],
        "CME ERROR: SIM not inserted",
    ),
    ("AT+CMGF=1", "\r\n+CMS ERROR: 302\r\n", [], "CMS ERROR: 302"),
    ("AT+CEREG?", "\r\n+CEREG: 2\r\n\r\n+CEREG: 0,1\r\n\r\nOK\r\n", ["2", "0,1"], "OK"),
    ("AT+CCLK?", '+CCLK: "26/11/22,08:30:12+32"\rOK\r', [LOCAL], "OK"),
    ("ATD*99#", "\r\nCONNECT 150000000\r\n~\xff}#\xc0!", [], "CONNECT 150000000"),
    ("ATD*99#", "ATD*99#\r\r\nNO CARRIER\r\n", [], "NO CARRIER"),
    ('AT+CGDATA="PPP",1', "\r\nCONNECT\r\n", [], "CONNECT"),
    ("AT+CFUN=1", "\r\nNO CARRIER\r\n\r\n+CREG: 2\r\n\r\nOK\r\n", [], "OK"),
    ("ATE0", "ATE0\r\r\nOK\r\n\r\n+CPIN: READY\r\n", [], "OK"),
    ("AT+CGSN", "\r\nNORMAL POWER DOWN\r\n", ["NORMAL POWER DOWN"], None),
]


@pytest.fixture(scope="module")
def at() -> ModuleType:
    """Import the module from its folder: on a board it is at the root."""
    spec = importlib.util.spec_from_file_location("at", ROOT / "firmware/esp32/at.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answered(at: ModuleType, command: str, pieces: list[bytes]):
    """Parse an answer that arrives in pieces."""
    reply = at.Reply(command)
    for piece in pieces:
        reply.feed(piece)
    return reply.lines, reply.end


@pytest.mark.parametrize(("command", "text", "lines", "end"), TRANSCRIPTS)
def test_transcripts(
    at: ModuleType, command: str, text: str, lines: list[str], end: str | None
) -> None:
    """Only the answer is returned, not other lines; whole, and byte by byte."""
    data = text.encode("latin-1")
    assert answered(at, command, [data]) == (lines, end)
    assert answered(at, command, [bytes([byte]) for byte in data]) == (lines, end)


@given(transcript=st.sampled_from(TRANSCRIPTS), cuts=st.lists(st.integers(0, 90)))
def test_any_pieces(at: ModuleType, transcript, cuts: list[int]) -> None:
    """Pieces of any size give the same lines and the same end."""
    command, text, lines, end = transcript
    data = text.encode("latin-1")
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    assert answered(at, command, pieces) == (lines, end)


_NOISE = st.binary(max_size=64) | st.sampled_from(
    [text.encode("latin-1") for _, text, _, _ in TRANSCRIPTS]
)


@given(
    command=st.sampled_from([command for command, _, _, _ in TRANSCRIPTS]),
    pieces=st.lists(_NOISE, max_size=60),
)
def test_any_bytes(at: ModuleType, command: str, pieces: list[bytes]) -> None:
    """Random bytes raise nothing, use little memory, and give the right types."""
    reply = at.Reply(command)
    for piece in pieces:
        finished = reply.feed(piece)
        assert finished == (reply.end is not None)
        if finished:
            assert reply.well in (True, False)
    assert len(reply.lines) <= 8
    for line in reply.lines:
        assert len(line) <= 160
        assert line.isascii()
        assert line.isprintable()
        at.registration([line])
        found = at.clock(line)
        assert found is None or found > 1700000000
        digits = at.digits(line)
        assert digits is None or (len(digits) == 15 and digits.isdigit())


@given(data=st.binary(max_size=4000))
def test_lines_are_bounded(at: ModuleType, data: bytes) -> None:
    """An endless line uses no more memory than one line."""
    lines = at.Lines()
    found = lines.feed(b"~" * 10000 + data)
    assert len(lines._line) <= 160
    assert all(0 < len(line) <= 160 for line in found)


def test_late_no_carrier(at: ModuleType) -> None:
    """The end of an earlier connection ends only a dial command."""
    assert answered(at, "AT+CSQ", [b"\r\nNO CARRIER\r\n"])[1] is None
    assert answered(at, "ATD*99#", [b"\r\nBUSY\r\n"])[1] == "BUSY"
    assert answered(at, "AT", [b"\r\nCONNECT\r\n"])[1] is None


@pytest.mark.parametrize("secret", ['AT+CPIN="1234"', 'AT+CGDCONT=1,"IP","1234"'])
def test_name_tells_no_secret(at: ModuleType, secret: str) -> None:
    """Logs contain the command without its arguments."""
    assert "1234" not in at.Reply(secret).name


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["0,1"], 1),
        (["0,5"], 5),
        (["2,3"], 3),
        (["0, 2"], 2),
        (['2,1,"1A2B","01C3D4",7'], 1),
        (["1"], 1),
        (['5,"1A2B","01C3D4",7'], 5),
        ([], None),
        (["x", "0,1"], 1),
        (["", ",", "?"], None),
        (["866123456789012"], None),
    ],
)
def test_registration(at: ModuleType, lines: list[str], expected: int | None) -> None:
    """The state is read from an answer and from a notice."""
    assert at.registration(lines) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('"26/11/22,08:30:12+00"', "2026-11-22 08:30:12"),
        ('"26/11/22,16:30:12+32"', "2026-11-22 08:30:12"),
        ('"26/11/22,01:30:12-28"', "2026-11-22 08:30:12"),
        ('"26/11/22,14:15:12+23"', "2026-11-22 08:30:12"),
        ('"28/02/29,23:59:59+00"', "2028-02-29 23:59:59"),
        ('"26/11/22,08:30:12"', "2026-11-22 08:30:12"),
        ('"70/01/01,00:00:20+00"', None),
        ('"80/01/06,00:00:08+00"', None),
        ('"00/01/01,00:00:08+00"', None),
        ('"04/01/01,00:00:08+00"', None),
        ('"26/13/22,08:30:12+00"', None),
        ('"26/11/22,24:30:12+00"', None),
        ('"26/11/22,08:30:12+99"', None),
        ('"26-11-22,08:30:12+00"', None),
        ('"26/11/22"', None),
        ("", None),
    ],
)
def test_clock(at: ModuleType, line: str, expected: str | None) -> None:
    """UTC in every time zone; None from a clock that was never set."""
    found = at.clock(line)
    assert (
        found and time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(found))
    ) == expected


@given(seconds=st.integers(0, 4102444799))
def test_unix(at: ModuleType, seconds: int) -> None:
    """Right by the calendar up to 2099."""
    fields = time.gmtime(seconds)[:6]
    assert at.unix(fields) == calendar.timegm(time.gmtime(seconds)) == seconds


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (IMEI, IMEI),
        (f'"{IMEI}"', IMEI),
        (f"IMEI: {IMEI};", IMEI),
        (f"AT+CGSN{IMEI}", IMEI),
        (IMEI + "01", None),  # an IMEISV, or two numbers in one
        (IMEI[:14], None),
        ("", None),
    ],
)
def test_digits(at: ModuleType, line: str, expected: str | None) -> None:
    """An IMEI has exactly fifteen digits."""
    assert at.digits(line) == expected

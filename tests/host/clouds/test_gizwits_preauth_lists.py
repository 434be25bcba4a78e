"""Lists that people send, and workbooks that clouds send: read, weighed, refused."""

import io
import random
import zipfile

import pytest

from pointctl.clouds.gizwits.preauth import lists, results
from pointctl.clouds.gizwits.preauth.errors import BadReply
from pointctl.lists import workbook
from tests.host.preauth import xlsx
from tests.host.serving import imei

MACS = ["02004c4f4f50", "02:00:4C:4F:4F:51", "test00101011", imei(1)]
KEY = "bff12c2998274c92b36de18b019ca9ea"


def macs(content):
    return [each.mac for each in lists.read_list(content)]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(MACS).encode(),
        "\r\n".join(MACS).encode() + b"\r\n\r\n",
        "\n".join(["\ufeffMAC", *MACS]).encode(),
        "\n\n".join(f"  {mac} ,a note" for mac in MACS).encode(),
        "".join(f'"{mac}",1\n' for mac in ["imei", *MACS]).encode(),
        xlsx(("MAC/IMEI", "note"), *((mac, 1) for mac in MACS)),
        xlsx(*((mac,) for mac in MACS[:3]), (int(MACS[3]),)),
        xlsx(*((mac,) for mac in MACS[:3]), (float(MACS[3]),), (None,)),
    ],
    ids=["text", "dos", "bom", "padded", "csv", "xlsx", "number", "float"],
)
def test_a_list_of_any_kind(content):
    """The same devices; an IMEI that is a number in a workbook keeps its digits."""
    assert macs(content) == MACS


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"mac\n", "empty"),
        (b"\n \n", "empty"),
        (b"02004c4f4f50\n02004c4f4f5\n", "line 2 is neither"),
        (b"02004c4f4f50\n\n866123456789018x\n", "line 3 is neither"),
        (b"8.66123E+14\n", "line 1 is neither"),
        (xlsx((86612345678901,)), "line 1 is neither"),  # a leading zero was lost
        ("02004c4f4f5\u0660".encode(), "line 1 is neither"),  # a digit, not of ours
        (b"\xff\xfe0\x002\x00", "neither UTF-8"),
        (b'"02004c4f4f50\n' + b"x" * 200_000, "not CSV"),
        (b"PK\x03\x04 no zip", "not a valid .xlsx"),
        (b"02004c4f4f50\n" * (lists.MOST_DEVICES + 1), "at most 100000"),
        (b" " * (lists.MOST_BYTES + 1), "at most 8 MiB"),
    ],
)
def test_what_is_no_list(content, why):
    """It says where, and not what stood there."""
    with pytest.raises(lists.BadList, match=why):
        lists.read_list(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"02004c4f4f50\n02:00:4c:4f:4f:50\n", "line 2 repeats line 1"),
        (imei(1)[:14].encode() + b"%d\n" % ((int(imei(1)[14]) + 1) % 10), "line 1: "),
    ],
)
def test_what_costs_keys_for_nothing(content, why):
    """Doubles, and an IMEI with a digit mistyped."""
    with pytest.raises(lists.BadList, match=why):
        lists.check_list(lists.read_list(content))


def test_what_is_sent(tmp_path):
    """One a line, whatever it was read from."""
    devices = lists.read_list(xlsx(*((mac,) for mac in MACS)))
    lists.check_list(devices)
    assert lists.write_text(devices) == "".join(f"{mac}\n" for mac in MACS).encode()


def test_results_come_back_as_they_were_written(tmp_path):
    """Text stays text: leading zeros, formulas, an IMEI."""
    rows = [
        results.KeyRow("000000000000", KEY, "2018-01-23T11:06:12.840298Z"),
        results.KeyRow(imei(1), KEY),
        results.KeyRow("=1+1", None, "", "6", "GAGENT_EXIST"),
    ]
    path = tmp_path / "x.xlsx"
    results.write(path, rows)
    assert results.parse(path.read_bytes()) == rows
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "sheet",
    [
        xlsx(("IMEI", "AUTH_KEY"), (float(imei(1)), KEY), (imei(2), "")),
        xlsx(("no", "key", "imei"), (1, KEY, imei(1)), (2, None, imei(2))),
        xlsx((imei(1), KEY), (int(imei(2)), None)),
    ],
    ids=["named", "in another order", "no header"],
)
def test_results_of_another_cloud(sheet):
    """The document does not say what is in them."""
    one, other = results.parse(sheet)
    assert (one.mac, one.auth_key) == (imei(1), KEY)
    assert (other.mac, other.auth_key) == (imei(2), None)


@pytest.mark.parametrize(
    "sheet", [xlsx((imei(1), "a key?")), xlsx((None, KEY)), b"", b"PK\x03\x04"]
)
def test_results_that_are_none(sheet):
    """Nothing that is no key is taken for one."""
    with pytest.raises(BadReply):
        results.parse(sheet)


def with_sheet(text, name="xl/worksheets/sheet1.xml"):
    """A workbook whose sheet is this text."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx(("a",)))) as whole,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as copy,
    ):
        for member in whole.namelist():
            copy.writestr(member, text if member == name else whole.read(member))
    return made.getvalue()


HEAD = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<sheetData>"
)
TAIL = "</sheetData></worksheet>"
CELL = '<c r="%s" t="inlineStr"><is><t>x</t></is></c>'


@pytest.mark.parametrize(
    ("sheet", "why"),
    [
        (HEAD + f'<row r="1">{CELL % "XFD1"}</row>' + TAIL, "too many"),
        (HEAD + f'<row r="1048576">{CELL % "A1048576"}</row>' + TAIL, "too many"),
        (HEAD + f'<row r="1">{CELL % "A99999999999"}</row>' + TAIL, "too many"),
        (HEAD + '<row r="1"><c t="n"><v>1</v></c></row>' + TAIL, "without a position"),
        (HEAD + "<row/>" * 9 + TAIL, "without a position"),
        (HEAD + " " * (65 << 20) + TAIL, "too large"),
        ((HEAD + TAIL).encode("utf-16"), "UTF-8|not a valid .xlsx"),
        (HEAD, "not a valid .xlsx"),
    ],
    ids=["wide", "long", "endless", "cell", "row", "large", "utf-16", "cut"],
)
def test_workbooks_that_would_take_all_memory(sheet, why):
    """They are refused before the library sees them."""
    with pytest.raises(workbook.BadWorkbook, match=why):
        workbook.read_workbook(with_sheet(sheet))


def test_workbooks_that_were_damaged():
    """Each is read or refused; none brings the process down."""
    whole = bytearray(xlsx(*((imei(n), KEY) for n in range(9))))
    dice = random.Random(7)
    outcomes = set()
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(dice.randrange(1, 8)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            workbook.read_workbook(
                bytes(damaged[: dice.choice([None, len(damaged) // 2])])
            )
            outcomes.add("read")
        except workbook.BadWorkbook:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}

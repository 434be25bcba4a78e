"""CSV in and out: every bad row is named, and a file goes in whole or not at all."""

import io

import pytest

from pointctl.errors import PointctlError
from pointctl.registry.devices import device_csv, devices, search
from pointctl.registry.devices.devices import BadRow, ImportRow
from pointctl.registry.issuing import pool_csv
from pointctl.registry.issuing.pool import PoolEntry
from tests.host.serving import PRODUCT, imei, issue

POOLED = "a1B2c3D4e5F"
FULL_WIDTH = {ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)}


def read(text):
    return list(device_csv.read(io.StringIO(text)))


def rows(database):
    return search.search(database, search.DeviceFilters(), limit=10_000).rows


def test_one_and_two_columns():
    """An empty name is no name."""
    assert read(f"imei\n{imei(1)}\n") == [ImportRow(2, imei(1), None)]
    assert read(f"imei,device_name\n{imei(1)},car-1\n{imei(2)},\n{imei(3)}\n") == [
        ImportRow(2, imei(1), "car-1"),
        ImportRow(3, imei(2), None),
        ImportRow(4, imei(3), None),
    ]


def test_what_spreadsheets_write(tmp_path):
    """A byte order mark, CRLF, quotes, blanks, capitals, and rows without content."""
    path = tmp_path / "boards.csv"
    text = f'IMEI, Device_Name\r\n"{imei(1)}", car-1\r\n\r\n,\r\n{imei(2)},"car-2"\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    with path.open(encoding=device_csv.ENCODING) as file:
        got = list(device_csv.read(file))
    assert got == [ImportRow(2, imei(1), "car-1"), ImportRow(5, imei(2), "car-2")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("86612345678901", "15 digits"),
        ("8.66123E+14", "15 digits"),
        ("86612345678901O", "digits only"),
        (imei(1).translate(FULL_WIDTH), "digits only"),
        ("866123456789017", "check digit"),
        (f"{imei(1)},a b", "not allowed"),
        (f"{imei(1)},{'n' * 65}", "too long"),
        (f"{imei(1)},..", "path"),
        (f"{imei(1)},a/b", "not allowed"),
        (f"{imei(1)},car,red", "3 cells"),
        (f'"{imei(1)}', "not valid CSV"),
        (f'"{imei(1)}"0', "not valid CSV"),
    ],
)
def test_bad_rows_say_why(row, reason):
    """With the line on which they stand."""
    bad, good = read(f"imei,device_name\n\n{row}\n{imei(2)}\n")
    assert isinstance(bad, BadRow)
    assert bad.line == 3
    assert reason in bad.reason
    assert good == ImportRow(4, imei(2), None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1"),
        (b"serial\n1\n", "line 1"),
        (f"{imei(1)}\n".encode(), "line 1"),
        (b"imei\n\xff\xfe1\n", "UTF-8"),
    ],
)
def test_what_is_no_such_file(tmp_path, content, reason):
    """One error for the whole of it."""
    path = tmp_path / "boards.csv"
    path.write_bytes(content)
    with (
        path.open(encoding=device_csv.ENCODING) as file,
        pytest.raises(PointctlError, match=reason),
    ):
        list(device_csv.read(file))


def test_nothing_is_registered_if_a_row_is_bad(database):
    """Also not the rows of chunks that were good."""
    before = len(rows(database))
    good = [ImportRow(line, imei(line), None) for line in range(100, 1300)]
    result = devices.register(database, PRODUCT, [*good, BadRow(1300, "why")])
    assert (result.added, result.bad) == (0, [BadRow(1300, "why")])
    assert len(rows(database)) == before


def test_bad_rows_can_be_skipped(database):
    """The good ones are registered, the bad ones reported in order."""
    given: list[ImportRow | BadRow] = [
        BadRow(2, "b"),
        ImportRow(3, imei(100), None),
        BadRow(4, "d"),
    ]
    result = devices.register(database, PRODUCT, given, skip_bad=True)
    assert (result.added, [row.line for row in result.bad]) == (1, [2, 4])


def test_the_same_file_twice_changes_nothing(database):
    """Also after the devices have got their credentials."""
    given = [ImportRow(2, imei(100), "car-1"), ImportRow(3, imei(101), None)]
    assert devices.register(database, PRODUCT, given).added == 2
    config = issue(database, 100)
    again = devices.register(database, PRODUCT, given)
    assert (again.added, again.unchanged, again.bad) == (0, 2, [])
    assert issue(database, 100) == config


def test_clashes_are_bad_rows(database):
    """Within the file and with what is registered, near and a chunk apart."""
    filler = [ImportRow(line, imei(line), None) for line in range(1000, 1600)]
    given = [
        ImportRow(2, imei(100), "car-1"),
        ImportRow(3, imei(100), "car-1"),
        ImportRow(4, imei(101), "car-1"),
        ImportRow(5, imei(0), "new-name"),
        ImportRow(6, imei(102), imei(0)),
        *filler,
        ImportRow(2000, imei(100), "car-1"),
        ImportRow(2001, imei(103), "car-1"),
    ]
    result = devices.register(database, PRODUCT, given, skip_bad=True)
    assert result.added == 601
    assert result.bad == [
        BadRow(3, "the same IMEI as in line 2"),
        BadRow(4, f"the device name is taken by IMEI {imei(100)}"),
        BadRow(5, f"the IMEI is registered already, under the device name {imei(0)}"),
        BadRow(6, f"the device name is taken by IMEI {imei(0)}"),
        BadRow(2000, "the same IMEI as in line 2"),
        BadRow(2001, f"the device name is taken by IMEI {imei(100)}"),
    ]


def test_an_unknown_product_registers_nothing(database):
    """And says where the products are."""
    with pytest.raises(PointctlError, match="pointctl products list"):
        devices.register(database, "pk-none", [ImportRow(2, imei(100), None)])


def test_export_holds_no_secret_unless_told(database):
    """One row a device; the extra column is empty before the first access."""
    secret = issue(database, 0)["device"]["deviceSecret"]
    assert secret is not None
    plain, full = io.StringIO(), io.StringIO()
    assert device_csv.write(database, plain) == 10
    assert device_csv.write_secrets(database, full, "ann", "moving") == 10
    assert secret not in plain.getvalue()
    header, first, second, *_ = full.getvalue().splitlines()
    columns = "imei,product_key,device_name,state,batch,tags,issued_at"
    assert header == f"{columns},device_secret"
    assert first.startswith(f"{imei(0)},{PRODUCT},{imei(0)},issued,,,")
    assert first.endswith(f",{secret}")
    assert second == f"{imei(1)},{PRODUCT},{imei(1)},registered,,,,"


def test_an_export_can_be_imported_again(database, tmp_path):
    """As it is, and it changes nothing."""
    out = io.StringIO()
    device_csv.write(database, out)
    result = devices.register(database, PRODUCT, read(out.getvalue()))
    assert (result.added, result.unchanged, result.bad) == (0, 10, [])


def read_pool(text):
    return list(pool_csv.read(io.StringIO(text), POOLED))


@pytest.mark.parametrize(
    "header",
    [
        "device_name,device_secret",
        "DeviceName, DeviceSecret",
        "Device Name,devicesecret",
    ],
)
def test_files_of_credentials(header):
    """As Alibaba writes them, and as we do."""
    assert read_pool(f"{header}\nn1,s1\n\nn2,s2\n") == [
        PoolEntry(2, "n1", "s1"),
        PoolEntry(4, "n2", "s2"),
    ]
    three = read_pool(
        "ProductKey,DeviceName,DeviceSecret\n" + f"{POOLED},n1,s1\npk,n2,s2\n"
    )
    assert three == [
        PoolEntry(2, "n1", "s1"),
        BadRow(3, f"the product key pk is not {POOLED}"),
    ]
    four = read_pool("device_secret,device_name,product_secret\ns1,n1,p1\ns2,n2,\n")
    assert [each.product_secret for each in four] == ["p1", None]


@pytest.mark.parametrize(
    "row",
    ["n1,canary canary", "n1,", ",canary", "a b,canary", "n1,canarÿ", "n,canary,x"],
)
def test_a_bad_row_does_not_quote_a_secret(row):
    """Lines are shown to people."""
    (bad,) = read_pool(f"device_name,device_secret\n{row}\n")
    assert isinstance(bad, BadRow)
    assert "canary" not in bad.reason
    assert "canary" not in repr(PoolEntry(1, "n", "canary", "canary"))


@pytest.mark.parametrize(
    "header", ["", "device_name", "device_name,secret", "device_name,device_secret,x"]
)
def test_what_is_no_file_of_credentials(header):
    """The columns are named."""
    with pytest.raises(PointctlError, match="line 1"):
        read_pool(f"{header}\nn1,s1\n")

"""Labels and sheets, read back by zbar as by a phone or a scanner."""

import hashlib
import io
import stat
import sys

import pypdfium2
import pytest
from PIL import Image, ImageFilter

from pointctl.errors import PointctlError
from pointctl.factory.domain.job import LabelPlan
from pointctl.factory.output import labels, sheets
from pointctl.factory.output.labels import LabelContent
from tests.host.factory_parts import MAC, PRODUCT
from tests.host.serving import imei
from tests.runtimes import need


def zbar(picture):
    """What zbar finds in a picture. Importing pyzbar fails where libzbar is missing."""
    need("libzbar")
    from pyzbar import pyzbar

    return pyzbar.decode(picture, symbols=[pyzbar.ZBarSymbol.QRCODE])


def codes(picture):
    """Return the content of the QR codes in a picture."""
    return [each.data.decode() for each in zbar(picture.convert("L"))]


@pytest.mark.parametrize(
    "unit", [imei(1), "490154203237518", MAC], ids=["imei", "another", "mac"]
)
@pytest.mark.parametrize(
    ("size", "prefix"),
    [
        ((40, 20), ""),
        ((30, 15), ""),
        ((25, 40), ""),
        ((40, 20), "https://example.com/d?"),
        ((100, 50), "https://example.com/d?"),
    ],
    ids=["usual", "small", "tall", "url", "large"],
)
def test_zbar_reads_it(unit, size, prefix):
    """zbar reads each size, also slightly blurred, and finds the label's content."""
    plan = LabelPlan(prefix=prefix, width_mm=size[0], height_mm=size[1], title="Meter")
    label = labels.Label(PRODUCT, unit, plan)
    picture = labels.draw(label)
    assert codes(picture) == [label.content]
    assert labels.parse_content(label.content) == LabelContent(PRODUCT, unit)
    blurred = picture.convert("L").filter(ImageFilter.GaussianBlur(1.2))
    assert codes(blurred) == [label.content]
    assert picture.size == tuple(round(mm / 25.4 * 300) for mm in size)


def test_the_form():
    """It is as in docs/factory.md; a product key may contain any character."""
    plan = LabelPlan(prefix="https://example.com/d?")
    assert labels.Label("pk 1&x", MAC, plan).content == (
        f"https://example.com/d?product_key=pk+1%26x&mac={MAC}"
    )
    assert labels.parse_content(f"https://a.b/?x=1&product_key=pk+1%26x&mac={MAC}") == (
        LabelContent("pk 1&x", MAC)
    )


@pytest.mark.parametrize(
    "content", ["", "hello", f"product_key=a&product_key=b&mac={MAC}", "product_key=a"]
)
def test_not_ours(content):
    """Other QR codes are refused."""
    with pytest.raises(PointctlError, match="not a label of ours"):
        labels.parse_content(content)


def test_too_small():
    """A label that is too small is reported when the job is planned."""
    plan = LabelPlan(width_mm=20, height_mm=10, prefix="https://example.com/devices?")
    with pytest.raises(PointctlError, match=r"too small: its QR code needs \d+ mm"):
        labels.draw(labels.Label(PRODUCT, imei(1), plan))


def test_text_is_there_and_black_and_white():
    """It has no grey, and its text is not empty."""
    made = labels.draw(labels.Label(PRODUCT, imei(1), LabelPlan(title="Meter")))
    assert made.mode == "1"
    beside = made.crop((made.height, 0, made.width, made.height))
    assert 0.01 < beside.histogram()[0] / (beside.width * beside.height) < 0.4


def test_titles_in_other_scripts():
    """A title that the font lacks is refused, not drawn as boxes."""
    plan = LabelPlan(title="电表")
    with pytest.raises(PointctlError, match="--label-font"):
        labels.draw(labels.Label(PRODUCT, imei(1), plan))


def test_printing(tmp_path):
    """It writes a picture for each unit, and runs the command without a shell."""
    out = tmp_path / "printer"
    program = "import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + '\\n')"
    command = (sys.executable, "-c", program, str(out), "{unit};", "{product}")
    plan = LabelPlan(command=(*command, "{file}"))
    printer = labels.Printer(PRODUCT, plan, tmp_path / "labels")
    made = printer.make(imei(1))
    path = tmp_path / "labels" / f"{imei(1)}.png"
    assert out.read_text() == f"{imei(1)}; {PRODUCT} {path}\n"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert made == {"label": path.name, "label_sha256": digest}
    with Image.open(path) as picture:
        assert codes(picture) == [f"product_key={PRODUCT}&imei={imei(1)}"]
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_a_printer_that_fails(tmp_path):
    """The printer's error is shown."""
    program = "import sys; sys.exit('out of paper')"
    plan = LabelPlan(command=(sys.executable, "-c", program))
    with pytest.raises(PointctlError, match="out of paper"):
        labels.Printer(PRODUCT, plan, tmp_path).make(imei(1))


def test_a_printer_of_text(tmp_path):
    """The template's own braces stay; each label is appended to a file or a device."""
    template = tmp_path / "label.zpl"
    template.write_text("^XA{keep}^BQN,2,5^FDMA,{qr}^FS^FD{number}^FS^XZ\n")
    plan = LabelPlan(template=str(template), to=str(tmp_path / "device"))
    printer = labels.Printer(PRODUCT, plan, tmp_path / "labels")
    for serial in (1, 2):
        printer.make(imei(serial))
    first, second = (tmp_path / "device").read_text().splitlines()
    number = f"{imei(1)[:2]} {imei(1)[2:8]} {imei(1)[8:14]} {imei(1)[14]}"
    content = f"product_key={PRODUCT}&imei={imei(1)}"
    assert first == f"^XA{{keep}}^BQN,2,5^FDMA,{content}^FS^FD{number}^FS^XZ"
    assert imei(2) in second


def test_sheets(tmp_path):
    """Every label of every page is read in its place; only the owner may read the file.

    The first five places of the first page were used before.
    """
    units = [imei(serial) for serial in range(40)]
    path = tmp_path / "labels.pdf"
    sheet = sheets.Sheet(columns=4, rows=8, gap_y=3, skip=5)
    plan = LabelPlan(title="Meter")
    assert sheets.write(path, PRODUCT, units, plan, sheet) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = []
    pitch = 23 / 25.4 * 300  # pixels from row to row
    with pypdfium2.PdfDocument(path) as pdf:
        assert pdf[0].get_size() == pytest.approx((595.28, 841.89), abs=0.1)
        for page in pdf:
            picture = page.render(scale=300 / 72, grayscale=True).to_pil()
            places = sorted(
                (round(each.rect.top / pitch), each.rect.left, each.data.decode())
                for each in zbar(picture)
            )
            found.append([labels.parse_content(content).unit for *_, content in places])
            page.close()
    assert [len(each) for each in found] == [27, 13]
    assert found[0] + found[1] == units


def test_a_sheet_that_does_not_fit(tmp_path):
    """The message has the sizes in millimetres."""
    with pytest.raises(PointctlError, match=r"need 218 x \d+ mm, the page has 210"):
        sheets.write(
            tmp_path / "x.pdf",
            PRODUCT,
            [imei(1)],
            LabelPlan(),
            sheets.Sheet(columns=5),
        )


def test_the_same_labels_are_the_same_bytes(tmp_path):
    """The same sheet has the same bytes, so that sheets can be compared."""
    paths = [tmp_path / f"{n}.pdf" for n in (1, 2)]
    for path in paths:
        sheets.write(path, PRODUCT, [imei(1)], LabelPlan(), sheets.Sheet())
    assert paths[0].read_bytes() == paths[1].read_bytes()
    made = io.BytesIO(paths[0].read_bytes())
    assert made.getvalue().startswith(b"%PDF")

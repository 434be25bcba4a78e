"""Labels: an ordinary QR code, and the same for people.

The QR holds `{prefix}product_key={product}&imei={IMEI}` or `…&mac={MAC}`, in this
order, percent-encoded; with a URL as prefix, a phone's camera opens it.
"""

import hashlib
import io
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from pointctl.errors import PointctlError
from pointctl.factory.domain.job import LabelPlan
from pointctl.factory.domain.units import checked_unit, named
from pointctl.folder import private_path

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

_QUIET = 4  # modules of white around a QR; readers need them
_LEAST_MM = 0.25  # of a module: what a thermal printer and a phone can do
_MM_PER_INCH = 25.4
_PRINT_S = 30


@dataclass(frozen=True)
class Label:
    """What a label says."""

    product: str
    unit: str
    plan: LabelPlan

    @property
    def content(self) -> str:
        """What its QR holds."""
        query = urlencode({"product_key": self.product, named(self.unit): self.unit})
        return self.plan.prefix + query

    @property
    def lines(self) -> list[str]:
        """What people read."""
        number = f"{named(self.unit).upper()} {_grouped(self.unit)}"
        return [line for line in (self.plan.title, number, self.product) if line]


def read(content: str) -> tuple[str, str]:
    """The product and the unit of a QR's content, whatever its prefix.

    Raises PointctlError for what is none of ours.
    """
    start = content.find("product_key=")
    found = parse_qs(content[start:]) if start >= 0 else {}
    values = [*found.get("imei", []), *found.get("mac", [])]
    if len(found.get("product_key", [])) != 1 or len(values) != 1:
        raise PointctlError("it is no label of ours")
    return found["product_key"][0], checked_unit(values[0])


def picture(label: Label) -> "Image":
    """The label in black and white, in the size and density of its plan.

    Raises PointctlError where its QR would be too small to be read, or its font lacks
    what it says.
    """
    image_of, segno = _libraries()
    plan = label.plan
    width, height = (_pixels(mm, plan) for mm in (plan.width_mm, plan.height_mm))
    beside = width >= height * 1.4
    side = min(height, width) if beside else min(width, int(height * 0.7))
    code = segno.make(label.content, error="m", micro=False)
    modules = code.symbol_size(border=_QUIET)[0]
    scale = side // modules
    if scale < _pixels(_LEAST_MM, plan) or scale < 1:
        least = modules * _LEAST_MM
        raise PointctlError(f"the label is too small: its QR needs {least:.0f} mm")
    made: Image = image_of.new("1", (width, height), 1)
    drawn = io.BytesIO()
    code.save(drawn, kind="png", scale=scale, border=_QUIET)
    drawn.seek(0)
    with image_of.open(drawn) as square:
        inset = (side - modules * scale) // 2
        corner = (inset, (height - modules * scale) // 2 if beside else inset)
        made.paste(square.convert("1"), corner)
    box = (side, 0, width, height) if beside else (0, side, width, height)
    _write(made, label.lines, box, plan)
    return made


class Printer:
    """Makes the labels of a job, and has them printed as its plan says."""

    def __init__(self, product: str, plan: LabelPlan, folder: Path) -> None:
        self._product, self._plan, self._folder = product, plan, folder
        self._template = None
        if plan.template is not None:
            self._template = Path(plan.template).read_text(encoding="utf-8")

    def make(self, unit: str) -> dict[str, str]:
        """Write {unit}.png and print it; what the journal keeps of it.

        Raises PointctlError, OSError.
        """
        label = Label(self._product, unit, self._plan)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{unit}.png"
        dpi = (self._plan.dpi, self._plan.dpi)
        with private_path(path) as beside:
            picture(label).save(beside, format="png", dpi=dpi, optimize=True)
        data = path.read_bytes()
        if self._template is not None:
            data = filled(self._template, label).encode()
            path = path.with_suffix(".txt")
            with private_path(path) as beside:
                beside.write_bytes(data)
        if self._plan.to is not None:
            with Path(self._plan.to).open("ab") as printer:
                printer.write(data)
        if self._plan.command:
            self._print(path, unit)
        return {"label": path.name, "label_sha256": hashlib.sha256(data).hexdigest()}

    def _print(self, path: Path, unit: str) -> None:
        """Run the plan's command, without a shell."""
        names = {"file": str(path), "unit": unit, "product": self._product}
        command = [_replaced(word, names) for word in self._plan.command]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PRINT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PointctlError(f"{command[0]} does not end") from None
        if done.returncode:
            said = " ".join(done.stderr.split())[:200]
            raise PointctlError(f"{command[0]} failed ({done.returncode}): {said}")


def filled(template: str, label: Label) -> str:
    """A printer's own language with {qr}, {unit}, {number}, {product} and {title}."""
    names = {"qr": label.content, "unit": label.unit, "product": label.product}
    names |= {"number": _grouped(label.unit), "title": label.plan.title}
    return _replaced(template, names)


def _replaced(text: str, names: dict[str, str]) -> str:
    """Only these names in braces; all other braces are the printer's."""
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def _grouped(unit: str) -> str:
    """In groups, so that people do not lose their place."""
    if len(unit) == 15:
        return f"{unit[:2]} {unit[2:8]} {unit[8:14]} {unit[14:]}"
    return ":".join(unit[i : i + 2] for i in range(0, len(unit), 2)).upper()


def _write(
    made: "Image", lines: list[str], box: tuple[int, int, int, int], plan: LabelPlan
) -> None:
    """The lines in a box, as large as they fit."""
    from PIL import ImageDraw

    left, top, right, bottom = box
    margin = _pixels(1, plan)
    room = right - left - 2 * margin
    most = (bottom - top - 2 * margin) / len(lines) / 1.3
    draw = ImageDraw.Draw(made)
    draw.fontmode = "1"  # no grey: printers have none
    fonts = [_fitting(line, room, int(most), plan) for line in lines]
    heights = [font.size * 1.3 for font in fonts]
    y = top + (bottom - top - sum(heights)) / 2
    for line, font, height in zip(lines, fonts, heights, strict=True):
        draw.text((left + margin, y), line, font=font, fill=0)
        y += height


def _fitting(line: str, room: int, most: int, plan: LabelPlan) -> "FreeTypeFont":
    """The largest font in which a line fits."""
    for size in range(most, 5, -1):
        font = _font(size, plan)
        if font.getlength(line) <= room:
            return font
    raise PointctlError(f"the label is too small for {line!r}")


def _font(size: int, plan: LabelPlan) -> "FreeTypeFont":
    from PIL import ImageFont

    if plan.font is not None:
        try:
            return ImageFont.truetype(plan.font, size)
        except OSError:
            raise PointctlError(f"{plan.font} is no TrueType font") from None
    if any(ord(character) > 0xFF for character in plan.title):
        raise PointctlError("the title is not Latin: name a TrueType file with --font")
    found = ImageFont.load_default(size)
    assert isinstance(found, ImageFont.FreeTypeFont)
    return found


def _pixels(mm: float, plan: LabelPlan) -> int:
    return round(mm / _MM_PER_INCH * plan.dpi)


def _libraries() -> tuple[Any, Any]:
    """PIL.Image and segno. Raises PointctlError where they are not installed."""
    try:
        import segno
        from PIL import Image
    except ImportError:
        raise PointctlError(
            "labels need more: pip install 'pointaccess[factory]'"
        ) from None
    return Image, segno

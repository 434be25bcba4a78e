"""Draw and print labels: a QR code, and the same content for people.

The QR code holds `{prefix}product_key={product}&imei={IMEI}` or `…&mac={MAC}`, in this
order, percent-encoded. If the prefix is a URL, a phone's camera opens it.
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
from pointctl.factory.domain.units import number_type, parse_unit
from pointctl.folder import private_path

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

_QUIET = 4  # modules of white around a QR code, which readers need
_LEAST_MM = 0.25  # the smallest module for thermal printers and phones
_MM_PER_INCH = 25.4
_PRINT_S = 30


@dataclass(frozen=True)
class Label:
    """The content of a label."""

    product: str
    unit: str
    plan: LabelPlan

    @property
    def content(self) -> str:
        """The content of the QR code."""
        query = urlencode(
            {"product_key": self.product, number_type(self.unit): self.unit}
        )
        return self.plan.prefix + query

    @property
    def lines(self) -> list[str]:
        """The lines of text."""
        number = f"{number_type(self.unit).upper()} {_group_digits(self.unit)}"
        return [line for line in (self.plan.title, number, self.product) if line]


@dataclass(frozen=True)
class LabelContent:
    """What a QR code says."""

    product: str
    unit: str


def parse_content(content: str) -> LabelContent:
    """Parse the content of a QR code, with any prefix.

    Raises PointctlError for a code that is not one of ours.
    """
    start = content.find("product_key=")
    found = parse_qs(content[start:]) if start >= 0 else {}
    values = [*found.get("imei", []), *found.get("mac", [])]
    if len(found.get("product_key", [])) != 1 or len(values) != 1:
        raise PointctlError(
            f"{content!r} is not a label of ours: it needs product_key, and imei or mac"
        )
    return LabelContent(found["product_key"][0], parse_unit(values[0]))


def draw(label: Label) -> "Image":
    """Draw the label in black and white, in the size and density of its plan.

    Raises PointctlError if its QR code would be too small for readers, or its font
    lacks a character.
    """
    pil, segno = _import_libraries()
    plan = label.plan
    width, height = (_pixels(mm, plan) for mm in (plan.width_mm, plan.height_mm))
    is_beside = width >= height * 1.4  # the text is beside the code, else below it
    side = min(height, width) if is_beside else min(width, int(height * 0.7))
    code = segno.make(label.content, error="m", micro=False)
    modules = code.symbol_size(border=_QUIET)[0]
    scale = side // modules
    if scale < _pixels(_LEAST_MM, plan) or scale < 1:
        least = modules * _LEAST_MM
        raise PointctlError(
            f"the label is too small: its QR code needs {least:.0f} mm; make it larger "
            "with --label-mm, or shorten --label-prefix"
        )
    made: Image = pil.new("1", (width, height), 1)
    png = io.BytesIO()
    code.save(png, kind="png", scale=scale, border=_QUIET)
    png.seek(0)
    with pil.open(png) as square:
        inset = (side - modules * scale) // 2
        corner = (inset, (height - modules * scale) // 2 if is_beside else inset)
        made.paste(square.convert("1"), corner)
    box = (side, 0, width, height) if is_beside else (0, side, width, height)
    _draw_lines(made, label.lines, box, plan)
    return made


class Printer:
    """Makes the labels of a job, and prints them as its plan says."""

    def __init__(self, product: str, plan: LabelPlan, folder: Path) -> None:
        self._product, self._plan, self._folder = product, plan, folder
        self._template = None
        if plan.template is not None:
            self._template = Path(plan.template).read_text(encoding="utf-8")

    def make(self, unit: str) -> dict[str, str]:
        """Write {unit}.png, print it, and return the facts for the journal.

        Raises PointctlError, OSError.
        """
        label = Label(self._product, unit, self._plan)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{unit}.png"
        dpi = (self._plan.dpi, self._plan.dpi)
        with private_path(path) as temporary:
            draw(label).save(temporary, format="png", dpi=dpi, optimize=True)
        data = path.read_bytes()
        if self._template is not None:
            data = fill_template(self._template, label).encode()
            path = path.with_suffix(".txt")
            with private_path(path) as temporary:
                temporary.write_bytes(data)
        if self._plan.to is not None:
            with Path(self._plan.to).open("ab") as printer:
                printer.write(data)
        if self._plan.command:
            self._print(path, unit)
        return {"label": path.name, "label_sha256": hashlib.sha256(data).hexdigest()}

    def _print(self, path: Path, unit: str) -> None:
        """Run the plan's command, without a shell."""
        names = {"file": str(path), "unit": unit, "product": self._product}
        command = [_replace_names(word, names) for word in self._plan.command]
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
            raise PointctlError(
                f"{command[0]} did not end within {_PRINT_S} s: check the printer"
            ) from None
        if done.returncode:
            error = " ".join(done.stderr.split())[:200]
            raise PointctlError(f"{command[0]} failed ({done.returncode}): {error}")


def fill_template(template: str, label: Label) -> str:
    """Replace {qr}, {unit}, {number}, {product} and {title} in a template."""
    names = {"qr": label.content, "unit": label.unit, "product": label.product}
    names |= {"number": _group_digits(label.unit), "title": label.plan.title}
    return _replace_names(template, names)


def _replace_names(text: str, names: dict[str, str]) -> str:
    """Replace only these names in braces; the printer's language may use others."""
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def _group_digits(unit: str) -> str:
    """Write the number in groups, which people read more easily."""
    if len(unit) == 15:
        return f"{unit[:2]} {unit[2:8]} {unit[8:14]} {unit[14:]}"
    return ":".join(unit[i : i + 2] for i in range(0, len(unit), 2)).upper()


def _draw_lines(
    made: "Image", lines: list[str], box: tuple[int, int, int, int], plan: LabelPlan
) -> None:
    """Draw the lines in a box, as large as they fit."""
    from PIL import ImageDraw

    left, top, right, bottom = box
    margin = _pixels(1, plan)
    room = right - left - 2 * margin
    most = (bottom - top - 2 * margin) / len(lines) / 1.3
    draw = ImageDraw.Draw(made)
    draw.fontmode = "1"  # no grey, which printers do not have
    fonts = [_largest_font(line, room, int(most), plan) for line in lines]
    heights = [font.size * 1.3 for font in fonts]
    y = top + (bottom - top - sum(heights)) / 2
    for line, font, height in zip(lines, fonts, heights, strict=True):
        draw.text((left + margin, y), line, font=font, fill=0)
        y += height


def _largest_font(line: str, room: int, most: int, plan: LabelPlan) -> "FreeTypeFont":
    """Return the largest font in which a line fits."""
    for size in range(most, 5, -1):
        font = _font(size, plan)
        if font.getlength(line) <= room:
            return font
    raise PointctlError(
        f"the label is too small for {line!r}: make it larger with --label-mm"
    )


def _font(size: int, plan: LabelPlan) -> "FreeTypeFont":
    from PIL import ImageFont

    if plan.font is not None:
        try:
            return ImageFont.truetype(plan.font, size)
        except OSError:
            raise PointctlError(
                f"{plan.font} is not a TrueType font: name one with --label-font"
            ) from None
    if any(ord(character) > 0xFF for character in plan.title):
        raise PointctlError(
            f"the title {plan.title!r} is not Latin: name a TrueType file with "
            "--label-font"
        )
    found = ImageFont.load_default(size)
    assert isinstance(found, ImageFont.FreeTypeFont)
    return found


def _pixels(mm: float, plan: LabelPlan) -> int:
    return round(mm / _MM_PER_INCH * plan.dpi)


def _import_libraries() -> tuple[Any, Any]:
    """Import PIL.Image and segno. Raises PointctlError if they are not installed."""
    try:
        import segno
        from PIL import Image
    except ImportError:
        raise PointctlError(
            "labels need a package that is missing: pip install 'pointaccess[factory]'"
        ) from None
    return Image, segno

"""Write sheets of labels as a PDF, for paper with labels on it."""

import io
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from pointctl.errors import PointctlError
from pointctl.factory.domain.job import LabelPlan
from pointctl.factory.output import labels
from pointctl.folder import private_path

PAGES_MM = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}


class Sheet(BaseModel):
    """The grid of labels on a page; all in mm, from its upper left corner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: tuple[float, float] = PAGES_MM["a4"]
    columns: int = Field(default=3, ge=1, le=20)
    rows: int = Field(default=8, ge=1, le=50)
    left: float = Field(default=10, ge=0)
    top: float = Field(default=10, ge=0)
    gap_x: float = Field(default=2, ge=0)
    gap_y: float = Field(default=2, ge=0)
    skip: int = Field(default=0, ge=0)  # places of the first page that are used already

    def check(self, plan: LabelPlan) -> None:
        """Raise PointctlError if the labels do not fit on the page."""
        width = self.left + self.columns * (plan.width_mm + self.gap_x) - self.gap_x
        height = self.top + self.rows * (plan.height_mm + self.gap_y) - self.gap_y
        if width > self.page[0] + 0.01 or height > self.page[1] + 0.01:
            raise PointctlError(
                f"{self.columns} x {self.rows} labels of {plan.width_mm:g} x "
                f"{plan.height_mm:g} mm need {width:g} x {height:g} mm, the page has "
                f"{self.page[0]:g} x {self.page[1]:g}"
            )


def write(
    path: Path, product: str, units: Sequence[str], plan: LabelPlan, sheet: Sheet
) -> int:
    """Write the labels of units as a PDF, and return the number of pages.

    Raises PointctlError.
    """
    try:
        from reportlab.lib.units import mm
        from reportlab.lib.utils import ImageReader
        from reportlab.pdfgen.canvas import Canvas
    except ImportError:
        raise PointctlError(
            "sheets need a package that is missing: pip install 'pointaccess[factory]'"
        ) from None
    sheet.check(plan)
    if not units:
        raise PointctlError("no unit is done yet, so there are no labels to print")
    page_size = sheet.page[0] * mm, sheet.page[1] * mm
    places = sheet.columns * sheet.rows
    with private_path(path) as made:
        canvas = Canvas(str(made), pagesize=page_size, invariant=True)
        canvas.setTitle(f"{product}: {len(units)} labels")
        place = sheet.skip % places
        pages = 1
        for unit in units:
            if place == places:
                canvas.showPage()
                pages, place = pages + 1, 0
            left, bottom = _position(place, plan, sheet)
            label = labels.Label(product, unit, plan)
            canvas.drawImage(
                ImageReader(_png(label)),
                left * mm,
                page_size[1] - bottom * mm,
                plan.width_mm * mm,
                plan.height_mm * mm,
            )
            place += 1
        canvas.save()
    return pages


def _position(place: int, plan: LabelPlan, sheet: Sheet) -> tuple[float, float]:
    """Return left and bottom of a place, in mm from the page's upper left corner."""
    row, column = divmod(place, sheet.columns)
    left = sheet.left + column * (plan.width_mm + sheet.gap_x)
    bottom = sheet.top + row * (plan.height_mm + sheet.gap_y) + plan.height_mm
    return left, bottom


def _png(label: labels.Label) -> io.BytesIO:
    file = io.BytesIO()
    labels.draw(label).save(file, format="png")
    file.seek(0)
    return file

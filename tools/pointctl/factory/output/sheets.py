"""Sheets of labels as a PDF, for printers that take paper with labels on it."""

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
    """Where the labels are on a page; all in mm, from its upper left corner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: tuple[float, float] = PAGES_MM["a4"]
    columns: int = Field(default=3, ge=1, le=20)
    rows: int = Field(default=8, ge=1, le=50)
    left: float = Field(default=10, ge=0)
    top: float = Field(default=10, ge=0)
    gap_x: float = Field(default=2, ge=0)
    gap_y: float = Field(default=2, ge=0)
    skip: int = Field(default=0, ge=0)  # labels of the first page that were used before

    def check(self, plan: LabelPlan) -> None:
        """Raise PointctlError where the labels do not fit on the page."""
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
    """Write the labels of units as a PDF; how many pages. Raises PointctlError."""
    try:
        from reportlab.lib.units import mm
        from reportlab.lib.utils import ImageReader
        from reportlab.pdfgen.canvas import Canvas
    except ImportError:
        raise PointctlError(
            "sheets need more: pip install 'pointaccess[factory]'"
        ) from None
    sheet.check(plan)
    if not units:
        raise PointctlError("there is no unit that is done: nothing to print")
    size = sheet.page[0] * mm, sheet.page[1] * mm
    each_page = sheet.columns * sheet.rows
    with private_path(path) as made:
        canvas = Canvas(str(made), pagesize=size, invariant=True)
        canvas.setTitle(f"{product}: {len(units)} labels")
        place = sheet.skip % each_page
        pages = 1
        for unit in units:
            if place == each_page:
                canvas.showPage()
                pages, place = pages + 1, 0
            row, column = divmod(place, sheet.columns)
            x = sheet.left + column * (plan.width_mm + sheet.gap_x)
            y = sheet.top + row * (plan.height_mm + sheet.gap_y) + plan.height_mm
            drawn = io.BytesIO()
            label = labels.Label(product, unit, plan)
            labels.picture(label).save(drawn, format="png")
            drawn.seek(0)
            canvas.drawImage(
                ImageReader(drawn),
                x * mm,
                size[1] - y * mm,
                plan.width_mm * mm,
                plan.height_mm * mm,
            )
            place += 1
        canvas.save()
    return pages

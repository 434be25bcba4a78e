"""A bar chart, computed on the server: the browser gets shapes and needs no script."""

from collections.abc import Sequence
from dataclasses import dataclass

from pointctl.registry.devices.overview import EnrolmentStep, Span

WIDTH, HEIGHT = 720, 180  # the page stretches the chart; texts are outside of it
_LABELS = {Span.DAY: (4, "%H:%M"), Span.WEEK: (4, "%d %b"), Span.MONTH: (5, "%d %b")}


@dataclass(frozen=True)
class Bar:
    """One step: its shape, and its tooltip."""

    x: float
    y: float
    width: float
    height: float
    when: str
    count: int


@dataclass(frozen=True)
class Chart:
    """All bars, the top of the scale, the lines of the grid, and the labels."""

    bars: Sequence[Bar]
    top: int
    lines: Sequence[float]
    labels: Sequence[str]
    total: int
    width: int = WIDTH
    height: int = HEIGHT


def draw_chart(steps: Sequence[EnrolmentStep], span: Span) -> Chart:
    """Compute the chart of some steps."""
    top = _round_up(max(step.count for step in steps))
    each = WIDTH / len(steps)
    every, words = _LABELS[span]
    made = []
    for number, step in enumerate(steps):
        height = HEIGHT * step.count / top
        made.append(
            Bar(
                x=round(number * each + each * 0.12, 2),
                y=round(HEIGHT - height, 2),
                width=round(each * 0.76, 2),
                height=round(height, 2),
                when=step.start.strftime("%d %b %H:%M"),
                count=step.count,
            )
        )
    return Chart(
        bars=made,
        top=top,
        lines=[HEIGHT * part / 4 for part in range(5)],
        labels=[step.start.strftime(words) for step in steps[:: len(steps) // every]],
        total=sum(step.count for step in steps),
    )


def _round_up(count: int) -> int:
    """Round up to 4, 8 or 20 times a power of ten, which four equal parts divide."""
    scale = 1
    while True:
        for digit in (4, 8, 20):
            if digit * scale >= count:
                return digit * scale
        scale *= 10

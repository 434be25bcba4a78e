"""A bar chart, drawn here: the browser is given shapes, and no script."""

from collections.abc import Sequence
from dataclasses import dataclass

from pointctl.registry.devices.overview import EnrolmentStep, Span

WIDTH, HEIGHT = 720, 180  # the page stretches it; words are set beside it
_LABELS = {Span.DAY: (4, "%H:%M"), Span.WEEK: (4, "%d %b"), Span.MONTH: (5, "%d %b")}


@dataclass(frozen=True)
class Bar:
    """One step: its shape, and what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    when: str
    count: int


@dataclass(frozen=True)
class Chart:
    """All bars, the top of the scale, the grid's lines, and words below."""

    bars: Sequence[Bar]
    top: int
    lines: Sequence[float]
    labels: Sequence[str]
    total: int
    width: int = WIDTH
    height: int = HEIGHT


def bars(steps: Sequence[EnrolmentStep], span: Span) -> Chart:
    """The chart of some steps."""
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
    """The least 1, 2, 4 or 5 with zeros, or 4, that is not below: four equal parts."""
    scale = 1
    while True:
        for digit in (4, 8, 20):
            if digit * scale >= count:
                return digit * scale
        scale *= 10

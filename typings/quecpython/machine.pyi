"""The parts of the chip."""

class RTC:
    """The clock: what it shows is local time."""

    def datetime(self, fields: tuple[int, int, int, int, int, int, int, int], /) -> int:
        """Set it to (year, month, day, weekday, hour, minute, second, µs)."""

class WDT:
    """The software watchdog."""

    def __init__(self, period: int, /) -> None:
        """`period` in seconds; gives False instead of a WDT when none is left."""

    def feed(self) -> int: ...

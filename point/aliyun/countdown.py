"""A countdown that stays at 0, although the ticks wrap around after days."""

from ..compat import ticks_add, ticks_diff, ticks_ms


class Countdown:
    """Nothing is left before start(). Ask it once in six days, or the ticks wrap."""

    def __init__(self):
        self._end = None

    def start(self, ms):
        """Begin anew; less than six days."""
        self._end = ticks_add(ticks_ms(), ms)

    def left_ms(self):
        """What is left, never less than 0."""
        if self._end is None:
            return 0
        left = ticks_diff(self._end, ticks_ms())
        if left <= 0:
            self._end = None
            return 0
        return left

    def left_s(self):
        """The same in seconds, rounded up: 0 only when nothing is left."""
        return (self.left_ms() + 999) // 1000

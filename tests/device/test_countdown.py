"""point.aliyun.countdown: what is over stays over, also when the ticks come round."""

from alinks import DAY_MS, PERIOD, Case

from point.aliyun.countdown import Countdown


class Left(Case):
    def test_nothing_before_it_begins(self):
        """Whatever the ticks are."""
        for now in (0, 1, PERIOD // 2, PERIOD - 1, PERIOD):
            self.now = now
            self.assertEqual(Countdown().left_ms(), 0)
            self.assertEqual(Countdown().left_s(), 0)

    def test_runs_out(self):
        """To the millisecond, over the place where the ticks come round."""
        found = Countdown()
        found.start(10000)
        for left in range(10000, 0, -500):
            self.assertEqual(found.left_ms(), left)
            self.now += 500
        self.assertEqual(found.left_ms(), 0)
        self.now += 1
        self.assertEqual(found.left_ms(), 0)

    def test_seconds(self):
        """Rounded up: 0 is nothing, and only nothing is 0."""
        found = Countdown()
        found.start(2000)
        for passed, left in ((0, 2), (1, 2), (999, 1), (999, 1), (1, 0)):
            self.now += passed
            self.assertEqual(found.left_s(), left)

    def test_stays_over(self):
        """Looked at once a day, it does not begin again for a year."""
        found = Countdown()
        found.start(1000)
        for _ in range(366):
            self.now += DAY_MS
            self.assertEqual(found.left_ms(), 0)

    def test_long(self):
        """A day and more is counted right, from wherever the ticks are."""
        for begin in (0, PERIOD // 2 - 1000, PERIOD // 2, PERIOD - 1000):
            self.now = begin
            found = Countdown()
            found.start(5 * DAY_MS)
            self.now += 5 * DAY_MS - 1
            self.assertEqual(found.left_ms(), 1)
            self.now += 1
            self.assertEqual(found.left_ms(), 0)

    def test_again(self):
        """The last start counts; with 0 it is over at once."""
        found = Countdown()
        found.start(1000)
        found.start(9000)
        self.assertEqual(found.left_ms(), 9000)
        found.start(0)
        self.assertEqual(found.left_ms(), 0)

"""point.flow: the table of decisions."""

import unittest

from point import flow

STATES = (
    flow.LOAD,
    flow.SPREAD,
    flow.ONLINE,
    flow.CLOCK,
    flow.FETCH,
    flow.KEEP,
    flow.ACKNOWLEDGE,
    flow.WAIT,
    flow.REVERT,
)
ENDS = (flow.HAND_OVER, flow.STOP)
EVENTS = (flow.DONE, flow.FAILED, flow.REFUSED)
NOT_DONE = (flow.FAILED, flow.REFUSED)


class Table(unittest.TestCase):
    def path(self, state, *events):
        """The states that follow `state`: the events, and then nothing but DONE."""
        seen = [state]
        events = list(events)
        while state not in ENDS:
            state = flow.next_state(state, events.pop(0) if events else flow.DONE)
            seen.append(state)
        return seen

    def test_order(self):
        """States count from 0, the ends are last: the loop relies on it."""
        self.assertEqual(STATES + ENDS, tuple(range(len(STATES) + 2)))
        self.assertEqual(EVENTS, (0, 1, 2))

    def test_every_state_takes_every_event(self):
        """No event leads out of the table."""
        for state in STATES:
            for event in EVENTS:
                self.assertIn(flow.next_state(state, event), STATES + ENDS)

    def test_ends_have_nothing_after_them(self):
        """HAND_OVER and STOP are where a walk ends."""
        for state in ENDS:
            with self.assertRaises(IndexError):
                flow.next_state(state, flow.DONE)

    def test_all_goes_well(self):
        """Empty flash, a moment, network, time, server, flash, thanks: handed over."""
        expected = [flow.LOAD, flow.SPREAD, flow.ONLINE, flow.CLOCK, flow.FETCH]
        expected += [flow.KEEP, flow.ACKNOWLEDGE, flow.HAND_OVER]
        self.assertEqual(self.path(flow.LOAD, flow.FAILED), expected)

    def test_warm_boot_skips_the_server(self):
        """With credentials in flash nothing else is asked."""
        self.assertEqual(self.path(flow.LOAD), [flow.LOAD, flow.HAND_OVER])

    def test_each_failure_waits(self):
        """Whatever failed, the next thing is to wait, and then the network again."""
        for state in (flow.ONLINE, flow.CLOCK, flow.FETCH, flow.KEEP):
            for event in NOT_DONE:
                self.assertEqual(flow.next_state(state, event), flow.WAIT)
        self.assertEqual(flow.next_state(flow.WAIT, flow.DONE), flow.ONLINE)
        for event in NOT_DONE:
            self.assertEqual(flow.next_state(flow.WAIT, event), flow.STOP)

    def test_an_acknowledgement_may_fail(self):
        """The credentials are in flash already: they are handed over all the same."""
        for event in EVENTS:
            self.assertEqual(flow.next_state(flow.ACKNOWLEDGE, event), flow.HAND_OVER)

    def test_rejected_credentials(self):
        """Back to what had worked; without that, new ones, after a moment."""
        self.assertEqual(self.path(flow.REVERT), [flow.REVERT, flow.HAND_OVER])
        for event in NOT_DONE:
            self.assertEqual(flow.next_state(flow.REVERT, event), flow.SPREAD)

    def test_the_server_is_asked_after_a_wait_only(self):
        """No way leads to FETCH that does not pass SPREAD or WAIT."""
        reached = [state for state in STATES if state not in (flow.SPREAD, flow.WAIT)]
        starts = [flow.LOAD, flow.REVERT]
        for state in starts:
            for event in EVENTS:
                after = flow.next_state(state, event)
                if after in reached and after not in starts:
                    starts.append(after)
        self.assertNotIn(flow.FETCH, starts)

    def test_only_kept_credentials_are_handed_over(self):
        """HAND_OVER follows a flash that has them: read, written, or gone back to."""
        for state in STATES:
            for event in EVENTS:
                if flow.next_state(state, event) == flow.HAND_OVER:
                    kept = (flow.LOAD, flow.REVERT, flow.ACKNOWLEDGE)
                    self.assertIn(state, kept)
                    if state != flow.ACKNOWLEDGE:
                        self.assertEqual(event, flow.DONE)
                if flow.next_state(state, event) == flow.ACKNOWLEDGE:
                    self.assertEqual((state, event), (flow.KEEP, flow.DONE))

    def test_only_waiting_stops(self):
        """STOP means that the attempts are used up, nothing else."""
        for state in STATES:
            for event in EVENTS:
                if flow.next_state(state, event) == flow.STOP:
                    self.assertEqual(state, flow.WAIT)

    def test_every_state_can_be_reached(self):
        """The table has no dead row."""
        reached = [flow.LOAD, flow.REVERT]
        for state in reached:
            if state in STATES:
                for event in EVENTS:
                    if flow.next_state(state, event) not in reached:
                        reached.append(flow.next_state(state, event))
        self.assertEqual(sorted(reached), sorted(STATES + ENDS))


class Backoff(unittest.TestCase):
    def test_bounds(self):
        """From nothing to just below 2 s, twice as much each time, 40 min at most."""
        for attempt in range(40):
            longest = min(2000 * 2 ** min(attempt, 16), 2400000)
            self.assertEqual(flow.backoff_ms(attempt, b"\0\0"), 0)
            most = flow.backoff_ms(attempt, b"\xff\xff")
            self.assertLess(most, longest)
            self.assertGreaterEqual(most, longest * 65535 // 65536)

    def test_any_attempt(self):
        """A board that was refused for years still gets a number; so does none."""
        self.assertLess(flow.backoff_ms(10**9, b"\xff\xff"), 2400000)
        self.assertGreater(flow.backoff_ms(10**9, b"\xff\xff"), 2399000)
        self.assertEqual(flow.backoff_ms(-1, b"\x80\0"), 1000)

    def test_chance_is_linear(self):
        """Half of the random range is half of the wait."""
        self.assertEqual(flow.backoff_ms(0, b"\x80\0"), 1000)
        self.assertEqual(flow.backoff_ms(3, b"\x80\0"), 8000)

    def test_share(self):
        """Any part of it, but never all; of nothing, nothing."""
        self.assertEqual(flow.random_part(60000, b"\0\0"), 0)
        self.assertEqual(flow.random_part(60000, b"\x40\0"), 15000)
        self.assertEqual(flow.random_part(60000, b"\xff\xff"), 59999)
        self.assertEqual(flow.random_part(65536, b"\x12\x34"), 0x1234)
        self.assertEqual(flow.random_part(0, b"\xff\xff"), 0)

    def test_retry_after(self):
        """A server gets the pause it asked for, and as much again or the back-off."""
        for seconds in (1, 30, 3600):
            for attempt in (0, 5, 50):
                least = flow.backoff_ms(attempt, b"\0\0", seconds)
                self.assertEqual(least, seconds * 1000)
                most = flow.backoff_ms(attempt, b"\xff\xff", seconds)
                alone = flow.backoff_ms(attempt, b"\xff\xff")
                again = flow.random_part(seconds * 1000, b"\xff\xff")
                self.assertEqual(most, least + max(alone, again))

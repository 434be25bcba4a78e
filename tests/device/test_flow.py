"""point.flow: the table of decisions."""

import unittest

from point import flow

STATES = (flow.LOAD, flow.ONLINE, flow.FETCH, flow.KEEP, flow.WAIT)
ENDS = (flow.READY, flow.GIVE_UP)
EVENTS = (flow.DONE, flow.FAILED)


class Table(unittest.TestCase):
    def test_every_state_takes_every_event(self):
        """No event leads out of the table."""
        for state in STATES:
            for event in EVENTS:
                self.assertIn(flow.after(state, event), STATES + ENDS)

    def test_ends_have_nothing_after_them(self):
        """READY and GIVE_UP are where a boot ends."""
        for state in ENDS:
            with self.assertRaises(IndexError):
                flow.after(state, flow.DONE)

    def test_all_goes_well(self):
        """Empty flash, network, server, flash: ready."""
        state = flow.after(flow.LOAD, flow.FAILED)
        seen = [state]
        while state not in ENDS:
            state = flow.after(state, flow.DONE)
            seen.append(state)
        self.assertEqual(seen, [flow.ONLINE, flow.FETCH, flow.KEEP, flow.READY])

    def test_warm_boot_skips_the_server(self):
        """With credentials in flash nothing else is asked."""
        self.assertEqual(flow.after(flow.LOAD, flow.DONE), flow.READY)

    def test_each_failure_waits(self):
        """Whatever failed, the next thing is to wait, and then the network again."""
        for state in (flow.ONLINE, flow.FETCH, flow.KEEP):
            self.assertEqual(flow.after(state, flow.FAILED), flow.WAIT)
        self.assertEqual(flow.after(flow.WAIT, flow.DONE), flow.ONLINE)
        self.assertEqual(flow.after(flow.WAIT, flow.FAILED), flow.GIVE_UP)

    def test_only_kept_credentials_are_ready(self):
        """READY is reached from flash and from a write to flash, from nowhere else."""
        for state in STATES:
            for event in EVENTS:
                if flow.after(state, event) == flow.READY:
                    self.assertIn(state, (flow.LOAD, flow.KEEP))
                    self.assertEqual(event, flow.DONE)

    def test_every_state_can_be_reached(self):
        """The table has no dead row."""
        reached = [flow.LOAD]
        for state in reached:
            if state in STATES:
                for event in EVENTS:
                    if flow.after(state, event) not in reached:
                        reached.append(flow.after(state, event))
        self.assertEqual(sorted(reached), sorted(STATES + ENDS))


class Backoff(unittest.TestCase):
    def test_bounds(self):
        """From nothing to just below 2 s, twice as much each time, 10 min at most."""
        for attempt in range(40):
            longest = min(2000 * 2 ** min(attempt, 16), 600000)
            self.assertEqual(flow.backoff_ms(attempt, b"\0\0"), 0)
            most = flow.backoff_ms(attempt, b"\xff\xff")
            self.assertLess(most, longest)
            self.assertGreaterEqual(most, longest * 65535 // 65536)

    def test_any_attempt(self):
        """A board that was refused for years still gets a number."""
        self.assertLess(flow.backoff_ms(10**9, b"\xff\xff"), 600000)

    def test_chance_is_linear(self):
        """Half of the random range is half of the wait."""
        self.assertEqual(flow.backoff_ms(0, b"\x80\0"), 1000)
        self.assertEqual(flow.backoff_ms(3, b"\x80\0"), 8000)

"""Calls that come together are made together, and each gets its own result."""

import asyncio
import threading

import pytest

from pointctl.server.device_api.request_batcher import RequestBatcher
from tests.patience import PATIENCE_S


def test_who_comes_meanwhile_goes_together():
    """The first alone, the others in one call, no more than the most at once."""
    groups, go_on = [], threading.Event()

    def work(asked):
        groups.append(asked)
        go_on.wait(PATIENCE_S)
        return [-number for number in asked]

    async def ask():
        gathered = RequestBatcher(work, most=8)
        first = asyncio.create_task(gathered(1))
        while not groups:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(gathered(number)) for number in range(2, 13)]
        await asyncio.sleep(0)
        go_on.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(ask()) == [-number for number in range(1, 13)]
    assert groups == [[1], list(range(2, 10)), [10, 11, 12]]


def test_what_fails_fails_for_those_who_were_in_it():
    """And the next are served."""

    def work(asked):
        if "bad" in asked:
            raise OSError("once")
        return asked

    async def ask():
        gathered = RequestBatcher(work, most=8)
        with pytest.raises(OSError, match="once"):
            await gathered("bad")
        return await gathered("good")

    assert asyncio.run(ask()) == "good"


def test_who_no_longer_waits_is_in_nobodys_way():
    """A board that hung up."""
    go_on = threading.Event()

    def work(asked):
        go_on.wait(PATIENCE_S)
        return asked

    async def ask():
        gathered = RequestBatcher(work, most=8)
        gone, *others = [asyncio.create_task(gathered(number)) for number in range(4)]
        await asyncio.sleep(0)
        gone.cancel()
        go_on.set()
        return await asyncio.gather(*others)

    assert asyncio.run(ask()) == [1, 2, 3]

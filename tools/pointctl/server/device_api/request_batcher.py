"""Requests that come together, worked on together."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Found = TypeVar("Found")


class RequestBatcher(Generic[Asked, Found]):
    """Calls of a function that does several at a time, in a thread of its own.

    What is asked while it works waits, and is next, all of it together. So the busier
    it is, the more share a transaction, and a single request waits for nobody. More
    threads would only make the transactions smaller. For use in one event loop.
    """

    def __init__(self, work: Callable[[list[Asked]], list[Found]], most: int) -> None:
        self._work = work
        self._most = most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gathered")
        self._is_free = True
        self._waiting: deque[tuple[Asked, asyncio.Future[Found]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, asked: Asked) -> Found:
        """What the function finds for `asked`. Raises what it raised for them all."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Found] = loop.create_future()
        self._waiting.append((asked, found))
        if self._is_free:
            self._is_free = False
            task = loop.create_task(self._work_off())
            self._tasks.add(task)  # a loop alone does not keep it alive
            task.add_done_callback(self._tasks.discard)
        return await found

    async def _work_off(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            count = min(len(self._waiting), self._most)
            group = [self._waiting.popleft() for _ in range(count)]
            try:
                done = await loop.run_in_executor(
                    self._thread, self._work, [asked for asked, _ in group]
                )
            except Exception as error:
                for _, found in group:
                    if not found.done():  # who asked may have gone
                        found.set_exception(error)
            else:
                for (_, found), result in zip(group, done, strict=True):
                    if not found.done():
                        found.set_result(result)
        self._is_free = True

"""Requests that come at the same time, worked on together."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


class RequestBatcher(Generic[Asked, Answered]):
    """Calls a function that takes several requests, in one thread.

    Requests that come while it works are its next batch. So the busier the server is,
    the more requests share a transaction, and a single request waits for nobody. More
    threads would only make the batches smaller. For use in one event loop.
    """

    def __init__(
        self, work: Callable[[list[Asked]], list[Answered]], most: int
    ) -> None:
        self._work = work
        self._most = most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batch")
        self._is_free = True
        self._waiting: deque[tuple[Asked, asyncio.Future[Answered]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, request: Asked) -> Answered:
        """The answer to one request. Raises what the function raised for its batch."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answered] = loop.create_future()
        self._waiting.append((request, answer))
        if self._is_free:
            self._is_free = False
            task = loop.create_task(self._work_off())
            self._tasks.add(task)  # a loop alone does not keep it alive
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _work_off(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            count = min(len(self._waiting), self._most)
            batch = [self._waiting.popleft() for _ in range(count)]
            try:
                done = await loop.run_in_executor(
                    self._thread, self._work, [request for request, _ in batch]
                )
            except Exception as error:
                for _, answer in batch:
                    if not answer.done():  # the client may have gone
                        answer.set_exception(error)
            else:
                for (_, answer), result in zip(batch, done, strict=True):
                    if not answer.done():
                        answer.set_result(result)
        self._is_free = True

"""A TCP proxy that cuts, resets or stalls a connection at a chosen byte."""

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass

FIN, RESET, STALL = MODES = ("fin", "reset", "stall")
UP, DOWN = DIRECTIONS = ("up", "down")  # from the board; to the board


@dataclass(frozen=True)
class Fault:
    """What happens once `at` bytes have passed in one direction."""

    direction: str
    at: int
    mode: str


class Proxy:
    """Listens on the loopback and passes all on to `port`, until the fault.

    `passed` counts the bytes of the last connection. A thread of its own runs it.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.fault: Fault | None = None
        self.passed = dict.fromkeys(DIRECTIONS, 0)
        self.port = 0
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[ready], daemon=True)
        self._thread.start()
        ready.wait()

    def close(self) -> None:
        """End the thread and all that it holds open."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        server = self._loop.run_until_complete(listening)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(
        self, board: asyncio.StreamReader, to_board: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # asyncio would log it
            await self._connect(board, to_board)

    async def _connect(
        self, board: asyncio.StreamReader, to_board: asyncio.StreamWriter
    ) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        self.passed = passed = dict.fromkeys(DIRECTIONS, 0)
        fault = self.fault
        both = (to_board, to_server)
        ways = (
            self._pass(board, to_server, UP, passed, fault),
            self._pass(server, to_board, DOWN, passed, fault),
        )
        tasks = [asyncio.create_task(way) for way in ways]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        broke = any(task.result() for task in done)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)  # until then they hold the readers
        if broke and fault and fault.mode == STALL:
            with contextlib.suppress(OSError):
                while await board.read(65536):  # until the board has enough
                    pass
        if broke and fault and fault.mode == RESET:
            for writer in both:
                sock = writer.get_extra_info("socket")
                linger = struct.pack("ii", 1, 0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        for writer in both:
            writer.close()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: str,
        passed: dict[str, int],
        fault: Fault | None,
    ) -> bool:
        """Whether it ended by the fault, and not by the peer."""
        if fault is not None and fault.direction != direction:
            fault = None
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if fault is not None:
                    data = data[: fault.at - passed[direction]]
                passed[direction] += len(data)
                writer.write(data)
                await writer.drain()
                if fault is not None and passed[direction] >= fault.at:
                    return True
        return False

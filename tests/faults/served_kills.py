"""kill -9 while boards enrol: nothing that a board was told is lost or becomes another.

A board keeps its request id until it is answered, and acknowledges until that is
answered, whatever happens to the connection. Some ask again under the same id before
they acknowledge, and some only when the last kill is over: all of them have to be told
the same secret. An error is a secret that changes, a code that a board cannot mend by
asking again, an enrolment that the registry does not have afterwards, or anything that
`pointctl db check` finds.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from point import protocol
from point.errors import PointError
from tests.faults.bench import Row
from tests.faults.served_boards import LOST, Board, Connection, Reply, signing
from tests.faults.served_site import KEYED, Site

_BOARDS = 24  # at a time
_AGAIN_S = 0.05  # a real board waits for longer
_REPLIES = 20  # between two kills, at least
_AT_RANDOM_S = 0.6  # and then so long, at most
_LATE = 8  # each so manyth board acknowledges when all is over
# Asked again, a board may be told these and asks once more.
_MENDS = (protocol.INTERNAL, protocol.SLOW_DOWN)

Kill = Callable[[random.Random], None]


def run(site: Site, row: Row, rng: random.Random, kill: Kill, times: int) -> None:
    """Kill so often while boards enrol, let them end, and look at what is left."""
    fleet = _Fleet(site, row, rng)
    asyncio.run(fleet.run(kill, times))
    kept, acknowledged = site.secrets(KEYED), site.acknowledged()
    for imei, secret in fleet.told.items():
        found = kept.get(imei, [])
        row.check(found == [secret], "lost" if secret not in found else "several")
    lost = fleet.acknowledged - acknowledged
    row.check(not lost, f"{len(lost)} acknowledgements are lost")
    check = site.check()
    row.check(check.returncode == 0, check.stdout + check.stderr)
    row.note = (
        f"{times} kills, {len(fleet.acknowledged):,} acknowledged, "
        f"{fleet.cut:,} replies cut off, {fleet.codes[protocol.INTERNAL]:,} x 50001"
    )


class _Fleet:
    """Boards that come one after the other, and what they were told."""

    def __init__(self, site: Site, row: Row, rng: random.Random) -> None:
        self._site = site
        self._row = row
        self._rng = rng
        self._imeis = site.fresh
        self._late: dict[str, tuple[Board, str]] = {}
        self._is_over = False
        self._replies = 0
        self.cut = 0
        self.codes: Counter[str] = Counter()
        self.told: dict[str, str] = {}
        self.acknowledged: set[str] = set()

    async def run(self, kill: Kill, times: int) -> None:
        """Boards enrol until all kills are over; those that are at it finish."""
        boards = asyncio.gather(*(self._enrol_some() for _ in range(_BOARDS)))
        try:
            for _ in range(times):
                await self._some_replies()
                await asyncio.sleep(self._rng.uniform(0, _AT_RANDOM_S))
                await asyncio.to_thread(kill, self._rng)
            await self._some_replies()
        finally:
            self._is_over = True
            await boards
        connection = Connection(self._site.ca)
        for board, request_id in self._late.values():
            await self._claim(connection, board, request_id)
            await self._acknowledge(connection, board, request_id)
        await connection.close()

    async def _some_replies(self) -> None:
        enough = self._replies + _REPLIES
        async with asyncio.timeout(120):
            while self._replies < enough:
                await asyncio.sleep(0.01)

    async def _enrol_some(self) -> None:
        connection = Connection(self._site.ca)
        for imei in self._imeis:
            board = signing(self._site.keys, KEYED, imei)
            request_id = f"{self._rng.getrandbits(128):032x}"
            await self._claim(connection, board, request_id)
            for _ in range(self._rng.choice((0, 0, 1, 2))):
                await self._claim(connection, board, request_id)
            if self._rng.randrange(_LATE):
                await self._acknowledge(connection, board, request_id)
            else:
                self._late[imei] = board, request_id
            if self._is_over:
                break
        else:
            self._row.fail("too few boards")
        await connection.close()

    async def _claim(
        self, connection: Connection, board: Board, request_id: str
    ) -> None:
        """Ask until there is a credential: always the same."""
        message = board.claim(request_id)
        code, secret = await self._answer(
            connection, message, lambda reply: board.read(reply, request_id)
        )
        right = code == protocol.SUCCESS
        self._row.check(right, f"a claim was answered {code}")
        if secret is not None:
            same = self.told.setdefault(board.imei, secret) == secret
            self._row.check(same, "another secret under the same id")

    async def _acknowledge(
        self, connection: Connection, board: Board, request_id: str
    ) -> None:
        message = board.acknowledgement(request_id)
        code, _ = await self._answer(
            connection, message, lambda reply: (board.read_code(reply), None)
        )
        self._row.check(code == protocol.SUCCESS, f"an acknowledgement: {code}")
        self.acknowledged.add(board.imei)

    async def _answer(
        self,
        connection: Connection,
        message: dict[str, Any],
        read: Callable[[Reply], tuple[str, str | None]],
    ) -> tuple[str, str | None]:
        """The first answer that is not for the board to ask again."""
        while True:
            try:
                reply = await connection.post(self._site.ports[0], message)
            except (*LOST, IndexError):  # no server at the moment
                self.cut += 1
                await asyncio.sleep(_AGAIN_S)
                continue
            try:
                code, secret = read(reply)
            except PointError as error:
                self._row.fail(f"a reply that no board can read: {error!r}")
                code, secret = protocol.INTERNAL, None
            self.codes[code] += 1
            if code not in _MENDS:
                self._replies += 1
                return code, secret
            await asyncio.sleep(_AGAIN_S)

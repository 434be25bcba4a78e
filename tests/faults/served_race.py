"""Thousands of requests for one IMEI, all at once: one credential comes of it.

An error is whatever a board could not use and should not meet: no reply, one that its
own decoder refuses, a code that the rules of claims do not lead to (50001 above all),
another secret than the first, or more than one credential in the registry.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from point import protocol
from point.errors import PointError
from tests.faults.bench import Row
from tests.faults.served_boards import LOST, Board, Connection, signing
from tests.faults.served_site import KEYED, OPEN, Site

_CONNECTIONS = 100
_OTHER_IDS = 40
# Of one IMEI that asks so often: given, spent, in quarantine, told to slow down. A
# board that proves nothing has no ids and no pace: it is given the same each time.
_RIGHT = {
    KEYED: {
        protocol.SUCCESS,
        protocol.REPLAYED,
        protocol.WAITING,
        protocol.SLOW_DOWN,
    },
    OPEN: {protocol.SUCCESS},
}

_Message = tuple[dict[str, Any], str]  # what is sent, and its request id


def run(site: Site, row: Row, rng: random.Random, product: str, requests: int) -> None:
    """Ask so often for the first board's credential, and judge all that comes back."""
    imei = site.imeis[0]
    sealed = product == KEYED
    board = signing(site.keys, KEYED, imei) if sealed else Board(imei, OPEN)
    race = _Race(board, row, iter(list(_messages(board, rng, requests))))
    asyncio.run(race.run(site))
    told = ", ".join(f"{n:,} x {code}" for code, n in sorted(race.codes.items()))
    row.note = f"{told}; {len(race.secrets)} secret"
    row.check(len(race.secrets) == 1, f"{len(race.secrets)} secrets were told")
    kept = site.secrets(product)[imei]
    row.check(kept == list(race.secrets), f"the registry has {len(kept)} secrets of it")


def _messages(board: Board, rng: random.Random, requests: int) -> Iterator[_Message]:
    """Half of them under one id, the others under a few, some acknowledged."""
    first, *others = (f"{rng.getrandbits(128):032x}" for _ in range(1 + _OTHER_IDS))
    for number in range(requests):
        request_id = first if number % 2 else rng.choice(others)
        if board.key and number > requests // 2 and rng.random() < 0.1:
            yield board.acknowledgement(request_id), request_id
        else:
            yield board.claim(request_id), request_id


class _Race:
    def __init__(self, board: Board, row: Row, messages: Iterator[_Message]) -> None:
        self._board = board
        self._row = row
        self._messages = messages
        self.codes: Counter[str] = Counter()
        self.secrets: set[str] = set()

    async def run(self, site: Site) -> None:
        """Every connection is open before the first request leaves."""
        ports = site.ports
        opened = [Connection(site.ca) for _ in range(_CONNECTIONS)]
        try:
            for number, connection in enumerate(opened):
                await connection.open(ports[number % len(ports)])
            await asyncio.gather(*(self._ask(each, ports[0]) for each in opened))
        finally:
            for connection in opened:
                await connection.close()

    async def _ask(self, connection: Connection, port: int) -> None:
        for message, request_id in self._messages:
            try:
                reply = await connection.post(port, message)
                if "ack" in message:
                    code, secret = self._board.read_code(reply), None
                else:
                    code, secret = self._board.read(reply, request_id)
            except (*LOST, PointError) as error:
                self._row.check(False, f"no reply: {error!r}")
                continue
            self.codes[code] += 1
            if secret is not None:
                self.secrets.add(secret)
            self._row.check(code in _RIGHT[self._board.product], f"told {code}")

"""The time, for the dates of certificates: from the board, network, NTP, or a floor.

A clock below the build date is wrong. Verification is never turned off for it: without
an answer the clock is set to the latest time that this board is known to have seen.
"""

from .compat import const, socket, struct
from .errors import PointError

BUILT = const(1793491200)  # 2026-11-01; no board runs this before
_FROM_1900 = const(2208988800)
_NTP_HOST = "pool.ntp.org"


class Clock:
    """The clock of `board`."""

    def __init__(self, board):
        self._board = board
        self._guessed = (
            False  # it was set to a floor: ask again, there may be an answer
        )

    def ensure(self, floor, timeout_s=5):
        """Set the board's clock if it is below `floor` (Unix s) or BUILT.

        Returns the time. Never raises: TLS fails by date if the clock stays wrong.
        """
        board = self._board
        floor = max(floor, BUILT)
        now = board.now() or 0
        if now >= floor and not self._guessed:
            return now
        for ask in (board.network_time, lambda: ntp(timeout_s)):
            try:
                found = ask()
            except (PointError, OSError, IndexError):  # IndexError: a name, no address
                continue
            if found and found >= floor:
                self._guessed = False
                board.set_clock(found)
                return found
        self._guessed = True
        if now < floor:
            board.set_clock(floor)
        return max(now, floor)


def ntp(timeout_s, host=_NTP_HOST, port=123):
    """Unix seconds by SNTP (RFC 4330). Raises OSError if no sane answer comes."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.settimeout(timeout_s)
        query = b"\x1b" + bytes(47)  # version 3, client
        sock.sendto(query, socket.getaddrinfo(host, port)[0][-1])
        reply = sock.recv(48)
    finally:
        sock.close()
    # Mode 4 is a server's; stratum 0 is a refusal.
    if len(reply) < 48 or reply[0] & 7 != 4 or not reply[1]:
        raise OSError(0)
    return struct.unpack(">I", reply[40:44])[0] - _FROM_1900

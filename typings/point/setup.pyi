from .access import Board, PointAccess
from .protocol import Request

def prepare(board: Board) -> tuple[PointAccess, str | None, Request]: ...

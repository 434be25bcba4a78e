"""A simulated board for developers without hardware; serves a port until Ctrl-C.

usage: python -m tests.fakeboard [esp32|quecpython|unix] [--imei IMEI] [--flash DIR]
       [--port PATH] [--log]
"""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from tests.fakeboard.board import IMEI, FakeBoard, fake_board
from tests.fakeboard.kinds import KINDS


def serve(board: FakeBoard, log: bool) -> None:
    """Serve until Ctrl-C; with `log`, show what the board prints."""
    shown = 0
    while True:
        time.sleep(0.1)
        if log:
            sys.stdout.write(board.output[shown:].replace("\r", ""))
            sys.stdout.flush()
            shown = len(board.output)


def main() -> None:
    """Print the port and the flash, and serve the board."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakeboard", description="A simulated board."
    )
    parser.add_argument("kind", nargs="?", default="esp32", choices=sorted(KINDS))
    parser.add_argument("--imei", default=IMEI)
    parser.add_argument(
        "--flash", type=Path, help="a folder to keep; default: a temporary one"
    )
    parser.add_argument("--port", type=Path, help="the name of the port to make")
    parser.add_argument("--log", action="store_true", help="show what the board prints")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        flash = options.flash or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="fakeboard-flash-"))
        )
        flash.mkdir(parents=True, exist_ok=True)
        made = fake_board(options.kind, flash, imei=options.imei, port=options.port)
        board = stack.enter_context(made)
        print(f"port:  {board.port}\nflash: {board.flash}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            serve(board, options.log)


if __name__ == "__main__":
    main()

"""Processes that end with the one that started them, also when that one is killed."""

import functools
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, AnyStr

# Linux sends the signal when the thread that started the child has ended, so this one
# starts them all: it ends with the process.
_starter = ThreadPoolExecutor(1, thread_name_prefix="children")


class Child(subprocess.Popen[AnyStr]):
    """A Popen whose process gets SIGTERM when this process is gone.

    Only Linux can do it; elsewhere it is a Popen like any other.
    """

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        start = functools.partial(super().__init__, [*binder(), *command], **options)
        _starter.submit(start).result()


@functools.cache
def binder() -> tuple[str, ...]:
    """What goes before a command to bind it to its parent, or nothing.

    It is util-linux's setpriv, which becomes the command. busybox's cannot do this, and
    other systems have none.
    """
    program = shutil.which("setpriv")
    if program is None:
        return ()
    found = (program, "--pdeathsig", "TERM", "--")
    tried = subprocess.run([*found, "true"], capture_output=True, check=False)
    return found if tried.returncode == 0 else ()


def end_with_parent() -> None:
    """In a process that multiprocessing started: SIGTERM to itself without its parent.

    multiprocessing ends its children only if it is itself left in an orderly way.
    """
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)

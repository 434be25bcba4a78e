"""A pytest plugin: a run that leaves a process behind fails, and says which it is.

All that tests start inherits a mark in its environment. At the end nobody carries it
any more; who still does is killed. If pytest itself is killed, a guard does the same.
"""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests import marked

_PATIENCE_S = 10.0


class Watch:
    """Of the one process that began the run: the mark, and the guard."""

    def __init__(self) -> None:
        self._mark = uuid.uuid4().hex
        self._left: dict[int, str] = {}
        # Without the mark, and in a session of its own: Ctrl-C does not end it.
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", marked.__file__, self._mark],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        os.environ[marked.MARK] = self._mark

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """After xdist has ended its workers."""
        patience = time.monotonic() + _PATIENCE_S
        while (left := marked.carriers(self._mark)) and time.monotonic() < patience:
            time.sleep(0.2)
        self._left = left
        marked.kill(left)
        if left and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Say what was left."""
        if self._left:
            terminalreporter.section("processes left behind", red=True)
        for pid, command in sorted(self._left.items()):
            terminalreporter.write_line(f"left behind: {pid} {command}")

    def pytest_unconfigure(self) -> None:
        """Let the guard go."""
        del os.environ[marked.MARK]
        self._guard.communicate()


def pytest_configure(config: pytest.Config) -> None:
    """Watch, but not in xdist's workers, nor in a pytest that a test runs.

    Both belong to a run that is watched.
    """
    if marked.MARK not in os.environ and Path("/proc/self/environ").exists():
        config.pluginmanager.register(Watch(), "leftovers-watch")

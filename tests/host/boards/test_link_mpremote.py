"""What we rely on in mpremote, whose library interface may change at any time.

A new version that fails here wants a look at pointctl/boards/mpremote_link.py before
the pin in pyproject.toml moves.
"""

import ast
import inspect
import re
import textwrap
from importlib.metadata import version
from pathlib import Path

import mpremote.transport
import pytest
from mpremote.transport_serial import SerialTransport

import pointctl
from pointctl.boards.serial_line import SerialLine

USED = ("enter_raw_repl", "exec_raw_no_follow", "follow")
# What these call in their turn.
BELOW = ("raw_paste_write", "read_until")


def test_version() -> None:
    """The pinned version is installed."""
    assert re.match(r"1\.29\.", version("mpremote") + ".")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("__init__", ["device", "baudrate", "wait", "exclusive", "timeout"]),
        ("enter_raw_repl", ["soft_reset", "timeout_overall"]),
        ("exec_raw_no_follow", ["command"]),
        ("follow", ["timeout", "data_consumer"]),
    ],
)
def test_signatures(name: str, parameters: list[str]) -> None:
    """The functions that we call have the parameters that we use."""
    found = inspect.signature(getattr(SerialTransport, name)).parameters
    assert list(found)[1:] == parameters


def test_errors() -> None:
    """Its errors have one class, which is not an OSError, because we handle those."""
    assert issubclass(mpremote.transport.TransportError, Exception)
    assert not issubclass(mpremote.transport.TransportError, OSError)


def test_it_asks_no_more_of_a_port_than_ours_has() -> None:
    """Our SerialLine replaces its serial port: it must have every called method."""
    called = set()
    for name in USED + BELOW:
        source = textwrap.dedent(inspect.getsource(getattr(SerialTransport, name)))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == (
                "self.serial"
            ):
                called.add(node.attr)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith(
                "self."
            ):
                method = ast.unparse(node.func).removeprefix("self.")
                assert method.startswith("serial.") or method in USED + BELOW
    assert {"read", "write", "inWaiting"} <= called
    assert all(callable(getattr(SerialLine, name, None)) for name in called)


def test_only_one_file_imports_it() -> None:
    """So a new version can only affect this file."""
    package = Path(pointctl.__file__).parent
    importing = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^\s*(from|import) mpremote", path.read_text(), re.MULTILINE)
    ]
    assert importing == ["boards/mpremote_link.py"]

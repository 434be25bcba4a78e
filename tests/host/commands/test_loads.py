"""A command loads what it needs, counted by modules: no test judges time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Libraries that take a tenth of a second or more of processor time.
WEB = {"fastapi", "uvicorn", "starlette", "jinja2"}
DATABASE = {"sqlalchemy", "alembic", "psycopg"}
OTHERS = {"httpx2", "paho", "amqtt", "reportlab", "PIL", "segno", "mpremote"}

_RUN = """
import sys
from pointctl.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("LOADED", *{name.partition(".")[0] for name in sys.modules})
"""


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        ("--version", WEB | DATABASE | OTHERS),
        ("cipher derive --help", WEB | DATABASE | OTHERS),
        ("mqtt sign --help", WEB | DATABASE | OTHERS),
        ("gizwits --help", DATABASE | OTHERS),
        ("boards list --help", WEB | DATABASE | OTHERS),
        ("ca init --help", WEB | DATABASE | OTHERS),
        ("devices list", WEB | OTHERS | {"alembic", "psycopg"}),
        ("products list", WEB | OTHERS | {"alembic", "psycopg"}),
        ("serve --help", WEB | OTHERS | {"alembic", "psycopg"}),
    ],
)
def test_what_a_command_does_not_load(
    command: str, unwanted: set[str], tmp_path: Path
) -> None:
    """None of the heavy libraries that it has no use for."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *command.split()],
        env=os.environ | {"POINTCTL_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    *_, last = done.stdout.splitlines()
    word, *loaded = last.split()
    assert word == "LOADED"
    assert "typer" in loaded
    assert unwanted & set(loaded) == set()

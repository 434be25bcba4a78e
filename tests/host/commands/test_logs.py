"""Log lines: JSON from everyone, secrets from nobody."""

import json
import logging

import pytest
import structlog

from pointctl.errors import PointctlError

CANARY = "canary-51c9"


@pytest.fixture
def lines(log):
    """What has been logged so far, parsed."""
    return lambda: [json.loads(line) for line in log.getvalue().splitlines()]


def test_own_and_foreign_lines_look_alike(lines):
    """One object a line, with a time in UTC and a level."""
    structlog.get_logger().info("access", code="00000")
    logging.getLogger("some.library").warning("it %s", "happened")
    own, foreign = lines()
    assert (own["event"], own["code"], own["level"]) == ("access", "00000", "info")
    assert (foreign["event"], foreign["level"]) == ("it happened", "warning")
    assert own["time"].endswith("Z")
    assert foreign["time"].endswith("Z")


def test_secrets_are_blanked_at_any_depth(lines):
    """By the name that they go under, in any spelling."""
    structlog.get_logger().info(
        "x",
        deviceSecret=CANARY,
        PASSWORD=CANARY,
        claim_key=CANARY,
        claim_master=CANARY,
        reply={"result": [{"product_secret": CANARY, "host": "h"}]},
    )
    (line,) = lines()
    assert CANARY not in json.dumps(line)
    assert line["reply"]["result"][0]["host"] == "h"


def test_an_exception_is_told_without_its_text(lines):
    """Its class and its path; only our own exceptions promise a harmless text."""
    for error in (ValueError(CANARY), PointctlError("the disk is full")):
        try:
            raise error
        except Exception:
            logging.getLogger("uvicorn.error").exception("oh")
    foreign, own = lines()
    assert CANARY not in json.dumps(foreign)
    assert foreign["error"] == "ValueError"
    assert "test_logs.py" in foreign["stack"][0]
    assert own["detail"] == "the disk is full"

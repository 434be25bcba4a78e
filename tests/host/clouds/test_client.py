"""When a client of a cloud sends a request again, without any network."""

import pytest

from pointctl.clouds.kit.client import Retries, RetryPolicy, find_origin
from pointctl.clouds.kit.errors import Unavailable
from pointctl.errors import BadReply, CloudError, NoReply, Unreachable, Untrusted


def retries(can_repeat: bool, within_s: float = 60.0, **policy: float) -> Retries:
    return Retries(RetryPolicy(**policy), within_s, can_repeat)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "where_free", "else_"),
    [
        (Unreachable("x"), True, True),
        (Unavailable(503), True, False),
        (NoReply("x"), True, False),
        (Untrusted("x"), False, False),
        (BadReply("x"), False, False),
        (CloudError("x"), False, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_sent_again(error: CloudError, where_free: bool, else_: bool) -> None:
    """What passes by itself; where a repeat may cost, only what never left."""
    assert (retries(True).wait_s_after(error) is not None) == where_free
    assert (retries(False).wait_s_after(error) is not None) == else_


def test_waits_grow_and_end() -> None:
    """Twice as long each time, up to a limit; then no more tries."""
    made = retries(True, max_tries=6, first_wait_s=1.0, longest_wait_s=4.0)
    waits = [made.wait_s_after(NoReply("x")) for _ in range(6)]
    for wait, limit in zip(waits, (1, 2, 4, 4, 4), strict=False):
        assert wait is not None
        assert limit / 10 <= wait <= limit
    assert waits[5] is None


def test_never_before_the_cloud_says() -> None:
    """Retry-After is the least; where that is after the deadline, there is no try."""
    wait = retries(True).wait_s_after(Unavailable(503, 7.0))
    assert wait is not None
    assert 7.0 < wait <= 7.25
    assert retries(True, within_s=5.0).wait_s_after(Unavailable(503, 7.0)) is None


def test_a_late_try_still_has_a_moment() -> None:
    """A deadline of none would mean: for ever."""
    assert retries(True, within_s=0.0).left_s > 0
    assert 59 < retries(True).left_s <= 60


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.test", ("a.test", 443)),
        ("https://a.test:8444/x?y", ("a.test", 8444)),
        ("http://a.test", None),
        ("https://u@a.test", None),
        ("https://[::1", None),
        ("https://a.test:99999", None),
        ("a.test", None),
    ],
)
def test_origins(url: str, origin: tuple[str, int] | None) -> None:
    assert find_origin(url) == origin

"""Rate limits: GCRA in the database, for those who fail, known or not."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import (
    KEYED,
    KEYS,
    ON_BOTH,
    PRODUCT,
    add_product,
    answer,
    device_key_board,
    forget_failures,
    imei,
)
from sqlalchemy import func, select

from point import protocol
from point.host import protocol_server
from pointctl.registry import rate_limits
from pointctl.registry.devices import products
from pointctl.registry.issuing.issuer import Issuer
from pointctl.registry.rate_limits import Limit
from pointctl.registry.storage.models import RateLimit

HERE = "192.0.2.7"


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""

    class Clock:
        now = 1_800_000_000.0

        def time(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(rate_limits, "time", made)
    return made


@pytest.fixture
def registry(database):
    """Beside the open product one of device keys, with imei(0) … imei(29)."""
    add_product(database, KEYED, 30)
    return database


def ask(registry, message, address=HERE):
    decoded = protocol_server.decode_request(json.dumps(message).encode())
    given = Issuer(registry, KEYS).answer(decoded, address)
    return given.code, given.retry_after_s


def forged(serial, number=1, product=KEYED):
    return {**device_key_board(serial, product).claim(number), "sign": "0" * 64}


class Bucket:
    """The other way to say it: tokens that come back one by one."""

    def __init__(self, limit):
        self.limit, self.tokens, self.at = limit, float(limit.at_once), 0.0

    def take(self, now):
        filled = self.tokens + (now - self.at) / self.limit.each_s
        self.tokens, self.at = min(self.limit.at_once, filled), now
        if self.tokens < 0.99:  # the same grain of salt
            return False
        self.tokens -= 1
        return True


@ON_BOTH
def test_it_decides_as_a_token_bucket(database, clock):
    """At random moments, for allowances of all kinds."""
    dice = random.Random(4711)
    for each_s, at_once in ((3.0, 10), (10.0, 3), (1 / 200, 200), (1.0, 1)):
        limit = Limit(f"x {each_s}", each_s, at_once)
        bucket = Bucket(limit)
        bucket.at = clock.now
        agreed = set()
        for _ in range(150):
            clock.now += dice.expovariate(1 / each_s) * dice.choice((0.1, 0.5, 2))
            wait = rate_limits.charge(database, [limit])
            assert (wait is None) == bucket.take(clock.now)
            agreed.add(wait is None)
        assert agreed == {True, False} or at_once == 200


@ON_BOTH
def test_it_says_how_long_to_wait(database, clock):
    """Whoever waits so long is let through, and not before."""
    limit = Limit("x", 10.0, 3)
    assert [rate_limits.charge(database, [limit]) for _ in range(3)] == [None] * 3
    wait = rate_limits.charge(database, [limit])
    assert wait == 10
    clock.now += wait - 1
    assert rate_limits.charge(database, [limit]) == 1
    clock.now += 1
    assert rate_limits.charge(database, [limit]) is None


@ON_BOTH
def test_many_at_once_get_no_more(database, clock):
    """Of fifty that come together, ten are counted."""
    with ThreadPoolExecutor(25) as pool:
        limit = rate_limits.of_address(HERE)
        given = list(
            pool.map(lambda _: rate_limits.charge(database, [limit]), range(50))
        )
    assert given.count(None) == 10
    assert set(given) == {None, 3}


@ON_BOTH
def test_crosswise_limits_never_wait_for_each_other(database):
    """Nor does sweeping away what is over."""
    # Used up by nobody within 100 s, however long a thread is kept waiting.
    names = [Limit(f"k {number}", 1e-5, 10**7) for number in range(6)]

    def charge(number):
        dice = random.Random(number)
        return rate_limits.charge(database, dice.sample(names, 3))

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(charge, range(400))) == {None}


def test_what_is_over_is_swept_away(database, clock, monkeypatch):
    """Strangers cannot fill the table."""
    monkeypatch.setattr(rate_limits, "_SWEEP_ONE_IN", 1)
    for number in range(50):
        rate_limits.charge(database, [rate_limits.of_imei(imei(number))])
        clock.now += 1
    with database.snapshot() as session:
        assert session.scalar(select(func.count(RateLimit.key))) <= 11


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("testclient", "testclient", True),
    ],
)
def test_what_is_one_address(one, other, same):
    """Whoever has an IPv6 network has 64 bits of addresses."""
    assert (rate_limits.of_address(one) == rate_limits.of_address(other)) is same


@ON_BOTH
def test_failing_makes_slow(registry, clock):
    """Per IMEI after three, per address after ten; both recover."""
    codes = [ask(registry, forged(0))[0] for _ in range(5)]
    assert codes == [protocol.BAD_SIGNATURE] * 3 + [protocol.SLOW_DOWN] * 2
    codes = [ask(registry, forged(n))[0] for n in range(1, 10)]
    assert codes == [protocol.BAD_SIGNATURE] * 7 + [protocol.SLOW_DOWN] * 2
    assert ask(registry, forged(20)) == (protocol.SLOW_DOWN, 3)
    assert ask(registry, forged(20), "192.0.2.8")[0] == protocol.BAD_SIGNATURE
    clock.now += 3
    assert ask(registry, forged(20))[0] == protocol.BAD_SIGNATURE


@ON_BOTH
def test_a_right_proof_is_never_slowed(registry, clock):
    """A fleet may share an address with an attacker, and an attacker an IMEI."""
    for number in range(40):
        ask(registry, forged(0, number))
    for serial in range(30):
        message = device_key_board(serial, KEYED).claim(1)
        assert ask(registry, message)[0] == protocol.SUCCESS
    assert ask(registry, forged(0))[0] == protocol.SLOW_DOWN


@ON_BOTH
def test_the_unknown_is_slowed_as_the_known(registry, clock):
    """Code and wait are the same at each step, whatever is behind the request."""
    kinds = {
        "known": lambda n: forged(0, n),
        "unknown": lambda n: forged(77, n),
        "unknown product": lambda n: forged(0, n, "pk-none"),
        "unsigned": lambda n: {"imei": imei(0), "productKey": KEYED},
        "acknowledgement": lambda n: {
            **device_key_board(0, KEYED).acknowledge(n),
            "ack": "0" * 64,
        },
    }
    seen = {}
    for kind, message in kinds.items():
        forget_failures(registry)
        clock.now += 1000
        steps = []
        for number in range(12):
            steps.append(ask(registry, message(number)))
            clock.now += 0.5
        seen[kind] = steps
    assert len({tuple(steps) for steps in seen.values()}) == 1
    assert {code for code, _ in seen["known"]} == {"40101", "42901"}


@ON_BOTH
def test_a_product_s_own_limit(registry, clock):
    """So many a second, whoever they are."""
    products.change(registry, KEYED, "op", max_failures_per_s=5)
    codes = [ask(registry, forged(n), f"192.0.2.{n}")[0] for n in range(8)]
    assert codes == [protocol.BAD_SIGNATURE] * 5 + [protocol.SLOW_DOWN] * 3
    clock.now += 1
    assert ask(registry, forged(9), "192.0.2.9")[0] == protocol.BAD_SIGNATURE


@ON_BOTH
def test_guessing_imeis_of_an_open_product(registry, clock):
    """There an IMEI is all there is to guess: a right one is slowed down, too."""
    guesses = [{"imei": imei(n), "productKey": PRODUCT} for n in range(50, 62)]
    codes = [ask(registry, guess)[0] for guess in guesses]
    assert codes == [protocol.UNKNOWN_IMEI] * 10 + [protocol.SLOW_DOWN] * 2
    right = {"imei": imei(0), "productKey": PRODUCT}
    assert ask(registry, right) == (protocol.SLOW_DOWN, 3)
    assert ask(registry, right, "192.0.2.8")[0] == protocol.SUCCESS
    clock.now += 3
    assert ask(registry, right)[0] == protocol.SUCCESS


def test_a_refusal_that_was_slowed_writes_nothing(registry, clock):
    """A flood does not take the database from boards."""
    for _ in range(5):
        ask(registry, forged(0))
    with registry.snapshot() as session:
        before = session.execute(select(RateLimit.key, RateLimit.free_at)).all()
    for _ in range(20):
        assert ask(registry, forged(0))[0] == protocol.SLOW_DOWN
    with registry.snapshot() as session:
        assert session.execute(select(RateLimit.key, RateLimit.free_at)).all() == before


def test_without_an_address_nothing_is_counted_for_it(registry):
    """As for callers in this process."""
    for n in range(20):
        given = answer(registry, forged(n))
        assert given.code == protocol.BAD_SIGNATURE

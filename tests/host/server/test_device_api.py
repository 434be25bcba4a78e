"""Version 2 over real HTTPS server processes: lost replies, strangers, logs."""

import json
import queue
import signal
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from point import protocol
from pointctl.folder import DataFolder
from pointctl.registry.issuing import lifecycle
from pointctl.registry.keys import claim_keys as keys
from pointctl.registry.storage.database import open_database
from tests.host.serving import (
    KEYED,
    SHARED,
    Board,
    Server,
    add_signed,
    device_key_board,
    forget_failures,
    imei,
    product_secret,
    secrets_of,
)
from tests.patience import PATIENCE_S

DEVICES = 400


def registry_of(data):
    """A registry with one product of each signed policy, and the claim master."""
    keys.create_master(data)
    database = open_database(data.registry)
    add_signed(database, DEVICES)
    return database


@pytest.fixture(scope="module")
def shared(tmp_path_factory, authority):
    """A server that many tests may use, its registry, and the boards' keys."""
    data = DataFolder(tmp_path_factory.mktemp("claims") / "data")
    with registry_of(data) as database:
        server = Server(data.path, authority)
        yield server, database, keys.open_keys(data)
        server.stop()


def secret_of(given):
    """The deviceSecret that a board was given; it has to be one."""
    code, config, _ = given
    assert code == protocol.SUCCESS
    return config["device"]["deviceSecret"]


def test_a_board_from_claim_to_acknowledgement(shared):
    """On one connection; then the id is spent, with HTTP's own word for it."""
    server, _, claim_keys = shared
    board = device_key_board(0, KEYED, claim_keys)
    with server.client() as client:
        secret = secret_of(board.post(client, board.claim(1)))
        assert secret_of(board.post(client, board.claim(1))) == secret
        assert board.post(client, board.acknowledge(1))[0] == protocol.SUCCESS
        spent = client.post("/v1/access", json=board.claim(1))
    assert (spent.status_code, spent.json()) == (401, {"code": "40102"})


def test_a_reply_is_sealed_afresh(shared):
    """The same credential twice gives no two bytes alike, and none of it in clear."""
    server, _, claim_keys = shared
    board = device_key_board(1, KEYED, claim_keys)
    with server.client() as client:
        first, second = (
            client.post("/v1/access", json=board.claim(1)) for _ in range(2)
        )
        secret = secret_of(board.post(client, board.claim(1)))
    assert set(first.json()) == {"code", "sealed"}
    assert first.json()["sealed"][:32] != second.json()["sealed"][:32]
    assert secret not in first.text
    assert secret.encode().hex() not in first.text


def test_fifty_ids_at_once_get_one_credential(shared):
    """Whoever was answered was told the same secret, and there is one row."""
    server, database, claim_keys = shared
    board = device_key_board(2, KEYED, claim_keys)
    together = threading.Barrier(50)

    def one(number):
        with server.client() as client:
            together.wait(PATIENCE_S)
            return board.post(client, board.claim(number))

    with ThreadPoolExecutor(50) as pool:
        given = list(pool.map(one, range(50)))
    assert {code for code, *_ in given} == {protocol.SUCCESS, protocol.WAITING}
    told = {secret_of(each) for each in given if each[0] == protocol.SUCCESS}
    assert [*told] == secrets_of(database, imei(2), KEYED)


def test_slow_down_says_how_long(shared):
    """429 with retryAfter, which the board heeds."""
    server, _, claim_keys = shared
    board = device_key_board(3, KEYED, claim_keys)
    with server.client() as client:
        for _ in range(20):
            secret_of(board.post(client, board.claim(1)))
        reply = client.post("/v1/access", json=board.claim(1))
    assert reply.status_code == 429
    code, config, wait_s = protocol.decode_reply(reply.status_code, reply.content)
    assert (code, config) == (protocol.SLOW_DOWN, None)
    assert 1 <= wait_s <= 3


def test_a_stranger_sees_no_difference(shared):
    """Status, headers and body are the same, whatever is or is not behind an IMEI."""
    server, database, claim_keys = shared
    boards = [device_key_board(serial, KEYED, claim_keys) for serial in (4, 5, 6, 999)]
    with server.client() as client:
        secret_of(boards[1].post(client, boards[1].claim(1)))
        secret_of(boards[2].post(client, boards[2].claim(1)))
        lifecycle.revoke(database, imei(6), KEYED, "op")
        right = [board.claim(1) for board in boards]
        messages = [{**message, "sign": "0" * 64} for message in right]
        messages += [{**message, "productKey": SHARED} for message in right]
        messages += [{**message, "productKey": "pk-none"} for message in right]
        messages += [{k: m[k] for k in ("imei", "productKey")} for m in right]
        messages += [{"imei": m["imei"]} for m in right]
        messages += [{**b.acknowledge(1), "ack": "0" * 64} for b in boards]
        messages += [right[3] | {"sign": right[0]["sign"]}]
        replies = []
        for message in messages:
            forget_failures(database)
            replies.append(client.post("/v1/access", json=message))
    seen = set()
    for reply in replies:
        headers = {k: v for k, v in reply.headers.items() if k != "date"}
        seen.add((reply.status_code, reply.content, json.dumps(headers)))
    ((status, body, _),) = seen
    assert (status, body) == (401, b'{"code": "40101"}')


def test_a_lost_reply_is_repeated_after_kill_9(data, authority):
    """What was given is on disk before it is sent: boards get it again, bit by bit."""
    with registry_of(data):
        claim_keys = keys.open_keys(data)
        boards = [device_key_board(n, KEYED, claim_keys) for n in range(DEVICES)]
        server = Server(data.path, authority)
        told: dict[int, str] = {}
        heard: queue.Queue[int] = queue.Queue()

        def ask(part):
            with server.client() as client:
                for board in part:
                    try:
                        given = board.post(client, board.claim(7))
                    except httpx2.TransportError:
                        return
                    told[board.serial] = secret_of(given)
                    heard.put(board.serial)

        threads = [threading.Thread(target=ask, args=[boards[n::4]]) for n in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(60):
            heard.get(timeout=PATIENCE_S)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        for thread in threads:
            thread.join(PATIENCE_S)
        assert 60 <= len(told) < DEVICES
        again = Server(data.path, authority)
        with again.client() as client:
            for serial, secret in told.items():
                board = boards[serial]
                assert secret_of(board.post(client, board.claim(7))) == secret
        again.stop()


def test_no_secret_is_in_the_log_or_in_argv(data, authority):
    """Of none of the kinds there are; and a planted one would be found."""
    with registry_of(data) as database:
        claim_keys = keys.open_keys(data)
        of_product = product_secret(database, SHARED)
        server = Server(data.path, authority)
        keyed = device_key_board(0, KEYED, claim_keys)
        shared = Board(1, of_product.encode(), SHARED)
        secrets = [claim_keys.master.hex(), keyed.key.hex(), of_product]
        with server.client() as client:
            for board in (keyed, shared):
                secret = secret_of(board.post(client, board.claim(1)))
                secrets.append(secret)
                proven = board.claim(2, 1, secret)
                board.post(client, proven)
                board.post(client, {**board.claim(3), "sign": "0" * 64})
                board.post(client, board.acknowledge(2))
                secrets += [proven["sign"], proven["proof"]]
        command = server.process.args
        server.stop()
    log = "".join(server.lines) + str(command)
    secrets += [secret.encode().hex() for secret in secrets]
    assert [secret for secret in secrets if secret in log] == []
    assert [secret for secret in secrets if secret in log + secrets[0]] == secrets[:1]
    codes = [line["code"] for line in server.events("access")]
    assert codes == ["00000", "00000", "40101"] * 2
    assert [line["code"] for line in server.events("acknowledge")] == ["00000"] * 2
    skews = [line["skew_s"] for line in server.events("access")]
    assert [skew is None for skew in skews] == [True, False, True] * 2


def test_an_unverified_board_is_told_nothing_it_can_read(shared):
    """Sealed replies stay closed to whoever is in between without the key."""
    server, _, claim_keys = shared
    board = device_key_board(7, KEYED, claim_keys)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with httpx2.Client(base_url=server.url, verify=context) as client:
        reply = client.post("/v1/access", json=board.claim(1))
    other = device_key_board(8, KEYED, claim_keys)
    with pytest.raises(Exception, match="SEAL"):
        protocol.decode_reply(200, reply.content, other.key, f"{1:032x}")
    with pytest.raises(Exception, match="SEAL"):
        protocol.decode_reply(200, reply.content, board.key, f"{2:032x}")

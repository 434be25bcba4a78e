"""point.provision_exchange: version 2 with a server in memory; messages are lost."""

import json
import unittest

import fakes
import provisioning
from fakes import http
from provisioning import DATA, KEY, TRUST, URL, PowerCut, Server, refusal

from point import protocol, seal
from point import provision_exchange as module
from point.access import PointAccess
from point.errors import FLASH, PointError
from point.store import Store


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.server = Server()
        self.dice = fakes.Dice()
        self.said = []
        self.patch = fakes.Patch()
        fakes.hold(self.patch)
        module.print = self.said.append

    def tearDown(self):
        self.patch.undo()
        del module.print
        self.folder.remove()

    def boot(self, key=KEY, trust=TRUST, **more):
        """A PointAccess as main.py makes it at each start, over the same flash."""
        self.board = fakes.Board(self.folder.path, [self.server])
        # Ids are drawn, waits are none, and no attempt is written to flash.
        self.board.random = lambda count: (
            self.dice(count) if count == 16 else fakes.Board.random(self.board, count)
        )
        store = Store(self.folder.path)
        return PointAccess(self.board, claim_key=key, trust=trust, store=store, **more)

    def untouched(self, access, name):
        """Nothing was adopted, and nothing kept but the request id."""
        self.assertEqual(access.error.name, name)
        self.assertEqual(access.device_config["device"]["deviceSecret"], "")
        self.assertIsNone(access.source)
        kept = [n for n in self.folder.names() if n[:7] != "pending"]
        self.assertEqual(kept, [])

    def secret(self, access):
        return access.device_config["device"]["deviceSecret"]


class Request(Case):
    """The seed's one call, with a claim key."""

    def test_success(self):
        """Signed, answered under seal, adopted."""
        access = self.boot()
        self.assertEqual(access.request(URL, DATA), "00000")
        self.assertEqual(access.source, "server")
        self.assertIsNone(access.error)
        (request,) = self.server.asked
        self.assertEqual(self.secret(access), "secret-of-" + request["requestId"])
        self.assertEqual(request["sign"], self.server.sign("", request))
        self.assertEqual(request["time"], fakes.NOW)
        self.assertIsNone(request["proof"])

    def test_nothing_is_acknowledged(self):
        """It keeps nothing, so it acknowledges nothing."""
        access = self.boot()
        access.request(URL, DATA)
        self.assertEqual(self.server.acknowledged, [])
        self.assertEqual([s.closed for s in self.board.streams], [1])

    def test_id_is_in_flash_when_it_is_sent(self):
        """The server never sees an id that flash does not have."""
        access = self.boot()
        seen = []

        def looking(request):
            seen.append((request["requestId"], self.boot().store.pending()))
            return self.server.honest(request)

        self.server.script = [looking]
        access.request(URL, DATA)
        request_id, pending = seen[0]
        self.assertEqual(pending, {"requestId": request_id})

    def test_flash_full(self):
        """Without a flash for the id nothing is sent."""
        access = self.boot()

        def full(pending):
            raise PointError(FLASH, "errno 28")

        access.store.remember = full
        self.assertEqual(access.request(URL, DATA), "77777")
        self.untouched(access, "FLASH")
        self.assertEqual(self.board.connected, [])

    def test_callers_objects(self):
        """data and headers come back as they were; headers go with the request."""
        data, headers = dict(DATA), {"X-Key": "k"}
        access = self.boot()
        access.request(URL, data, headers)
        self.assertEqual((data, headers), (DATA, {"X-Key": "k"}))
        self.assertIn(b"X-Key: k\r\n", self.board.streams[0].writes[0])

    def test_no_secret_is_sent(self):
        """Neither the claim key nor a deviceSecret is on the wire, nor in its hex."""
        access = self.boot()
        access.ensure(URL, DATA)
        access.request(URL, DATA)
        wire = b"".join([b"".join(s.writes) for s in self.board.streams])
        for word in (seal.hexed(KEY), self.secret(access)):
            self.assertNotIn(word.encode(), wire)

    def test_proof(self):
        """Whoever has a deviceSecret proves it with the next request."""
        access = self.boot()
        access.ensure(URL, DATA)
        secret = self.secret(access)
        access.claim.renew(self.server.ids()[0])
        self.assertEqual(access.request(URL, DATA), "00000")
        request = self.server.asked[-1]
        proof = seal.sign(
            secret.encode(),
            "proof",
            DATA["imei"],
            DATA["productKey"],
            request["requestId"],
            fakes.NOW,
        )
        self.assertEqual(request["proof"], proof)

    def test_time_unknown(self):
        """A clock that is not set is signed as 0."""
        for now in (None, 0):
            access = self.boot(trust=None)
            self.board.clock = now
            self.assertEqual(access.request(URL, DATA), "00000")
            self.assertEqual(self.server.asked[-1]["time"], 0)

    def test_without_trust(self):
        """A seal is proof enough: no CA, and firmware that verifies nobody."""
        for trust, verifies in (
            (None, True),
            (None, False),
            (TRUST, False),
            ({}, False),
        ):
            access = self.boot(trust=trust)
            self.board.VERIFIES = verifies
            self.assertEqual(access.request(URL, DATA), "00000")
        self.assertEqual(self.said, [])

    def test_product_secret(self):
        """A text of any length can be the key."""
        for key in (b"s", b"product secret", b"x" * 256):
            self.server.key = key
            access = self.boot(key)
            self.assertEqual(access.request(URL, DATA), "00000")

    def test_over_somebodys_requests(self):
        """Signed and sealed over a requests.post() too."""

        class Response:
            status_code = 200

            def __init__(self, content):
                self.content = content

        def post(url, json=None, headers=None):
            body = JSON.dumps(json).encode()
            reply = self.server(b"POST\r\n\r\n" + body)
            return Response(reply.split(b"\r\n\r\n")[1])

        JSON = json
        access = self.boot(post=post)
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(self.server.acknowledged, self.server.ids())
        self.assertEqual(self.board.connected, [])

    def test_data_without_names(self):
        """A request that cannot be signed is 77777, and nothing is sent."""
        for data in (
            {},
            {"imei": DATA["imei"]},
            {"productKey": "a1B2"},
            {"imei": "1", "productKey": "a1B2"},
            {"imei": DATA["imei"], "productKey": None},
            {"imei": DATA["imei"], "productKey": 7},
            {"imei": DATA["imei"], "productKey": "a/b"},
        ):
            access = self.boot()
            self.assertEqual(access.request(URL, data), "77777", data)
            self.assertIn(access.error.name, ("IMEI", "FIELD"))
            self.assertEqual(self.board.connected, [])


class Believed(Case):
    """What is taken for credentials, and what is not."""

    def refused(self, answer, code, name):
        for call in ("request", "ensure"):
            self.server.script = [answer]
            more = {} if call == "request" else {"attempts": 1}
            access = self.boot()
            self.assertEqual(getattr(access, call)(URL, DATA, **more), code)
            self.untouched(access, name)
        self.assertEqual(self.server.acknowledged, [])

    def test_in_clear(self):
        """A success that is not sealed is SEAL, whoever sent it."""
        self.refused(self.server.clear, "77777", "SEAL")

    def test_sealed_by_another(self):
        """So is one under another key."""
        for key in (b"k" * 32, b"", KEY[:31]):
            self.refused(
                lambda request, key=key: self.server.sealed(request, key),
                "77777",
                "SEAL",
            )

    def test_sealed_for_another_request(self):
        """So is an answer to another request, recorded and played again."""
        old = {"requestId": "f" * 32}
        self.refused(lambda request: self.server.sealed(old, KEY), "77777", "SEAL")

    def test_changed_on_the_way(self):
        """And one in which any byte was changed."""

        def changed(request):
            reply = self.server.honest(request)
            return (
                reply[:-20] + (b"0" if reply[-20:-19] != b"0" else b"1") + reply[-19:]
            )

        self.refused(changed, "77777", "SEAL")

    def test_sealed_nonsense(self):
        """Sealed, but against the rules of credentials."""

        def nonsense(request):
            config = fakes.config()
            config["device"]["deviceName"] = "../x"
            self.server.issued[request["requestId"]] = config
            return self.server.sealed(request, KEY)

        self.refused(nonsense, "77777", "FIELD")

    def test_refusals(self):
        """Each code is told as it came, and the configuration is untouched."""
        names = "BAD_REQUEST BAD_SIGNATURE REPLAYED UNKNOWN_IMEI REVOKED WAITING "
        names += "ALREADY_ISSUED SLOW_DOWN POOL_EMPTY INTERNAL"
        for code in [getattr(protocol, name) for name in names.split()] + [
            "12345",
            "X",
        ]:
            status = code[:3] + " x" if code[0] in "45" else "403 x"
            reply = http(b'{"code":"%s"}' % code.encode(), status)
            self.refused(lambda request, reply=reply: reply, code, "REFUSED")

    def test_nonsense(self):
        """The rest is 77777 or 99999, as in version 1."""
        for reply, code, name in (
            (b"", "77777", "CLOSED"),
            (http(b""), "77777", "MALFORMED"),
            (http(b"{}"), "99999", "NO_CODE"),
            (http(b"<html>", "502 x"), "77777", "HTTP_STATUS"),
            (http(b'{"code":"00000","sealed":"00"}', "201 x"), "77777", "HTTP_STATUS"),
            (http(b'{"code":"00000"}'), "77777", "SEAL"),
            (http(b'{"code":"00000","sealed":"zz"}'), "77777", "SEAL"),
            (http(b'{"code":"00000","sealed":7}'), "77777", "SEAL"),
        ):
            self.refused(lambda request, reply=reply: reply, code, name)

    def test_what_was_there_stays(self):
        """An access that has credentials keeps them through all of it."""
        access = self.boot()
        access.ensure(URL, DATA)
        config = access.device_config
        text = json.dumps(config)
        for answer in (
            self.server.clear,
            lambda request: self.server.sealed(request, b"k"),
            refusal("40302"),
            refusal("40102"),
            provisioning.lost,
        ):
            self.server.script = [answer]
            self.assertNotEqual(access.request(URL, DATA), "00000")
            self.assertIs(access.device_config, config)
            self.assertEqual(json.dumps(config), text)
        self.assertEqual(self.boot().ensure(URL, DATA), "00000")

    def test_retry_after(self):
        """What the server asks for is there for the caller, an hour at most."""
        access = self.boot()
        for seconds, expected in ((30, 30), (3600, 3600), (10**9, 3600), (-5, 0)):
            self.server.script = [refusal("42901", retry_after=seconds)]
            self.assertEqual(access.request(URL, DATA), "42901")
            self.assertEqual(access.retry_after_s, expected)
        self.server.script = [refusal("42901", retry_after=30), provisioning.lost]
        access.request(URL, DATA)
        access.request(URL, DATA)
        self.assertEqual(access.retry_after_s, 0)
        self.assertEqual(access.request(URL, DATA), "00000")
        self.assertEqual(access.retry_after_s, 0)


class Conversation(Case):
    """ensure(): asked, kept, acknowledged."""

    def test_in_order(self):
        """Asked, written and read back, then acknowledged, over one connection."""
        access = self.boot()
        store = access.store
        save = store.save

        def spied(record):
            save(record)
            self.server.events.append("saved")

        store.save = spied
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(self.server.events, ["asked", "saved", "acknowledged"])
        self.assertEqual(self.server.acknowledged, self.server.ids())
        self.assertEqual(len(self.board.streams), 1)
        stream = self.board.streams[0]
        self.assertEqual((len(stream.writes), stream.closed), (2, 1))
        self.assertIsNone(access.error)

    def test_record(self):
        """Flash has what the server said, and when that was."""
        access = self.boot()
        access.overrides = {"host": "other"}
        access.ensure(URL, DATA)
        record = self.boot().store.load()
        self.assertEqual(record["time"], fakes.NOW)
        self.assertEqual(record["connect"]["host"], "mqtt.example.com")
        self.assertEqual(access.device_config["connect"]["host"], "other")
        again = self.boot()
        self.assertEqual(again.ensure(URL, DATA), "00000")
        self.assertEqual(again.source, "flash")
        self.assertEqual(self.secret(again), self.secret(access))
        self.assertEqual(len(self.server.asked), 1)

    def test_on_a_new_connection(self):
        """Where the server closed the connection the acknowledgement opens another."""

        def closing(request):
            reply = self.server.honest(request)
            return reply.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

        self.server.script = [closing]
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(self.server.acknowledged, self.server.ids())
        self.assertEqual([s.closed for s in self.board.streams], [1, 1])

    def test_flash_does_not_take_it(self):
        """What was not kept is not acknowledged, and has not been got: 77777."""
        for number in (FLASH, 41):
            access = self.boot()

            def failing(record, number=number):
                raise PointError(number)

            access.store.save = failing
            self.assertEqual(access.ensure(URL, DATA, attempts=3), "77777")
            self.untouched(access, "FLASH" if number == FLASH else "READ_BACK")
        self.assertEqual(self.server.acknowledged, [])
        self.assertEqual(len(self.server.asked), 6)
        self.assertEqual(len(set(self.server.ids())), 1)

    def test_flash_takes_it_later(self):
        """The same id, the same answer, kept in the end, acknowledged once."""
        access = self.boot()
        save = access.store.save
        errors = [PointError(FLASH), PointError(FLASH)]

        def failing(record):
            if errors:
                raise errors.pop()
            save(record)

        access.store.save = failing
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(len(set(self.server.ids())), 1)
        self.assertEqual(len(self.server.acknowledged), 1)

    def test_acknowledgement_fails(self):
        """The credentials are kept: it is 00000 whatever becomes of the thanks."""
        for answer in (
            provisioning.lost,
            refusal("40101"),
            refusal("50001"),
            lambda request: http(b"<html>"),
            lambda request: http(b"{}"),
            lambda request: http(b"x" * 5000),
        ):
            self.server.ack_script = [answer]
            access = self.boot()
            self.assertEqual(access.ensure(URL, DATA), "00000")
            self.assertEqual(access.source, "server")
            self.assertEqual([s.closed for s in self.board.streams], [1])
            again = self.boot()
            self.assertEqual(again.ensure(URL, DATA), "00000")
            self.assertEqual(again.source, "flash")
            again.forget()
        self.assertEqual(len(self.server.acknowledged), 6)

    def test_version_1_says_no_thanks(self):
        """Without a claim key there is nothing to sign it with."""
        asked = []

        def answer(written):
            asked.append(json.loads(written.split(b"\r\n\r\n")[1]))
            reply = {"code": "00000", "result": fakes.config()}
            return http(json.dumps(reply).encode())

        self.server = answer
        self.assertEqual(self.boot(None).ensure(URL, DATA), "00000")
        self.assertEqual(asked, [DATA])
        self.assertEqual(self.folder.names(), ["credentials.0"])


class Lost(Case):
    """The same id until its answer is kept, whatever is lost."""

    def test_reply(self):
        """A lost reply is asked for again, and is the same one."""
        self.server.script = [provisioning.lost] * 3
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(len(self.server.asked), 4)
        self.assertEqual(len(set(self.server.ids())), 1)
        self.assertEqual(len(self.server.issued), 1)
        self.assertEqual(self.server.acknowledged, self.server.ids()[:1])
        self.assertEqual(len(self.board.streams), 4)
        self.assertEqual([s.closed for s in self.board.streams], [1] * 4)

    def test_reply_and_then_reboot(self):
        """The same over any number of boots and attempts."""
        self.server.script = [provisioning.lost] * 20
        for _ in range(10):
            self.assertEqual(self.boot().ensure(URL, DATA, attempts=2), "77777")
        self.assertEqual(self.boot().ensure(URL, DATA), "00000")
        self.assertEqual(len(self.server.asked), 21)
        self.assertEqual(len(set(self.server.ids())), 1)

    def test_reply_of_request(self):
        """The seed's call repeats its id too."""
        for answer in (provisioning.lost, self.server.clear, refusal("50301")):
            self.server.script = [answer]
            self.boot().request(URL, DATA)
        self.assertEqual(self.boot().request(URL, DATA), "00000")
        self.assertEqual(len(set(self.server.ids())), 1)

    def test_every_refusal_keeps_the_id(self):
        """A refusal proves nothing, so it costs nothing; but 40102 means the id."""
        for code in "40001 40101 40301 40302 40303 40901 42901 50301 50001 X1".split():
            reply = http(b'{"code":"%s"}' % code.encode(), "400 x")
            self.server.script.append(lambda request, reply=reply: reply)
        self.assertEqual(self.boot().ensure(URL, DATA, attempts=11), "00000")
        self.assertEqual(len(set(self.server.ids())), 1)

    def test_replayed(self):
        """40102 draws a new id, which is in flash before it is used."""
        access = self.boot()
        first = access.claim.request_id()
        self.server.spent.append(first)
        self.assertEqual(access.ensure(URL, DATA), "00000")
        seen = self.server.ids()
        self.assertEqual((len(seen), seen[0]), (2, first))
        self.assertNotEqual(seen[1], first)
        self.assertEqual(self.boot().store.pending()["requestId"], seen[1])

    def test_replayed_without_end(self):
        """Whoever says 40102 to everything spends one id a boot, not one a request."""
        self.server.script = [refusal("40102")] * 20
        self.assertEqual(self.boot().ensure(URL, DATA, attempts=10), "40102")
        self.assertEqual(len(self.server.asked), 10)
        self.assertLessEqual(len(set(self.server.ids())), 2)

    def test_power_cut_before_the_reply(self):
        """The board dies while it waits; the next boot asks again by the same id."""
        for _ in range(3):
            self.server.script = [provisioning.power_cut]
            with self.assertRaises(PowerCut):
                self.boot().ensure(URL, DATA)
        self.assertEqual(self.boot().ensure(URL, DATA), "00000")
        self.assertEqual(len(set(self.server.ids())), 1)

    def test_power_cut_before_it_is_kept(self):
        """The reply was there, and not yet in flash: the same again."""
        access = self.boot()

        def dying(record):
            raise PowerCut

        access.store.save = dying
        with self.assertRaises(PowerCut):
            access.ensure(URL, DATA)
        self.assertEqual([s.closed for s in self.board.streams], [1])
        self.assertEqual(self.server.acknowledged, [])
        self.assertEqual(self.boot().ensure(URL, DATA), "00000")
        self.assertEqual(len(set(self.server.ids())), 1)

    def test_power_cut_while_it_is_written(self):
        """Cut at any byte of the slot: the same again, never half of it."""
        access = self.boot()
        access.ensure(URL, DATA)
        secret = self.secret(access)
        whole = self.folder.read("credentials.0")
        for end in range(0, len(whole), 9):
            self.server.spent.clear()
            self.folder.write("credentials.0", whole[:end])
            again = self.boot()
            self.assertEqual(again.ensure(URL, DATA), "00000")
            self.assertEqual(again.source, "server")
            self.assertEqual(self.secret(again), secret)
        self.assertEqual(len(set(self.server.ids())), 1)

    def test_power_cut_before_the_acknowledgement(self):
        """It is in flash: the next boot asks nobody."""
        self.server.ack_script = [provisioning.power_cut]
        with self.assertRaises(PowerCut):
            self.boot().ensure(URL, DATA)
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(access.source, "flash")
        self.assertEqual(len(self.server.asked), 1)

    def test_two_boards(self):
        """Two boards behind one flash image draw different ids."""
        self.boot().claim.request_id()
        first = self.boot().store.pending()
        self.folder.remove()
        self.folder = fakes.Folder()
        self.boot().claim.request_id()
        self.assertNotEqual(self.boot().store.pending(), first)


class Rejected(Case):
    """The broker has refused what is there."""

    def rejected(self):
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        access.rejected = True
        return access

    def test_asked_anew(self):
        """Without anything to go back to: new credentials, under a new id, proven."""
        access = self.rejected()
        secret = self.secret(access)
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertFalse(access.rejected)
        ids = self.server.ids()
        self.assertEqual(len(set(ids)), 2)
        self.assertEqual(self.secret(access), "secret-of-" + ids[1])
        self.assertNotEqual(self.secret(access), secret)
        self.assertIsNotNone(self.server.asked[1]["proof"])
        self.assertEqual(self.boot().ensure(URL, DATA), "00000")

    def test_one_attempt(self):
        """Whoever gives one attempt gets one."""
        access = self.rejected()
        self.assertEqual(access.ensure(URL, DATA, attempts=1), "00000")
        self.assertEqual(len(self.server.asked), 2)

    def test_back_to_what_worked(self):
        """A confirmed record comes back, without asking anybody."""
        access = self.rejected()
        access.confirm()
        secret = self.secret(access)
        self.assertEqual(access.ensure(URL, DATA), "00000")  # confirmed: asks anew
        self.assertEqual(len(self.server.asked), 2)
        access.rejected = True
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(len(self.server.asked), 2)
        self.assertEqual(access.source, "flash")
        self.assertEqual(self.secret(access), secret)

    def test_lost_while_asked_anew(self):
        """A reply that is lost now is asked for by the same id, over reboots too."""
        access = self.rejected()
        self.server.script = [provisioning.lost] * 4
        access.ensure(URL, DATA, attempts=4)
        asked = self.server.ids()[1:]
        self.assertGreaterEqual(len(asked), 3)
        self.assertEqual(len(set(asked)), 1)
        # It goes on with what flash has, and the broker refuses it once more.
        again = self.boot()
        self.assertEqual(again.ensure(URL, DATA), "00000")
        self.assertEqual(again.source, "flash")
        again.rejected = True
        self.server.script.clear()
        self.assertEqual(again.ensure(URL, DATA), "00000")
        self.assertEqual(self.server.ids()[-1], asked[0])
        self.assertEqual(len(self.server.issued), 2)

    def test_failing_keeps_what_is_there(self):
        """While nothing better comes, flash and device_config stay as they are."""
        access = self.rejected()
        config = json.dumps(access.device_config)
        self.server.script = [refusal("40302")] * 9
        self.assertEqual(access.ensure(URL, DATA), "40302")
        self.assertEqual(json.dumps(access.device_config), config)
        again = self.boot()
        self.assertEqual(again.ensure(URL, DATA), "00000")
        self.assertEqual(json.dumps(again.device_config), config)

    def test_once(self):
        """ensure() after ensure() takes what is there: it was told once."""
        access = self.rejected()
        self.server.script = [provisioning.lost] * 9
        access.ensure(URL, DATA, attempts=2)
        asked = len(self.server.asked)
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(len(self.server.asked), asked)

    def test_other_claims_refused_again(self):
        """The server's new answer is refused as well: yet another id."""
        access = self.rejected()
        for count in (2, 3, 4):
            self.assertEqual(access.ensure(URL, DATA), "00000")
            self.assertEqual(len(set(self.server.ids())), count)
            access.rejected = True

"""point.aliyun.gateway: permits that are obeyed, and sub-devices a few at a time."""

import json

import fakes
from alinks import DAY_MS, Case, mutations

from point.aliyun.gateway import ALWAYS, CLOSED, FORBIDDEN, Gateway
from point.compat import binascii
from point.digest import hmac_sha256
from point.errors import PointError

PERMIT = "thing/gateway/permit"
ADD = "thing/topo/add"
DELETE = "thing/topo/delete"
GET = "thing/topo/get"


def subs(count, key="a1sub"):
    """Sub-devices as an application has them."""
    return [
        {"productKey": key, "deviceName": "sub%d" % n, "deviceSecret": "s3cret%d" % n}
        for n in range(count)
    ]


def pairs(found):
    return [(each["productKey"], each["deviceName"]) for each in found]


class Gate(Case):
    def setUp(self):
        Case.setUp(self)
        self.results = []
        self.connect()

    def boot(self):
        Case.boot(self)
        self.permits = []
        self.gateway = Gateway(self.alink, self.permits.append)

    def permit(self, **params):
        """The code of the answer to a permit; each has another id."""
        self.number = getattr(self, "number", 0) + 1
        (found,) = self.request(PERMIT, params, self.number)
        self.assertEqual((found["id"], found["data"]), (str(self.number), {}))
        return found["code"]

    def then(self, code, names):
        self.results.append((code, names))

    def refused(self, sub_devices, name="REFUSED"):
        with self.assertRaises(PointError) as raised:
            self.gateway.add(sub_devices)
        self.assertEqual(raised.exception.name, name)
        self.assertNotIn("s3cret", str(raised.exception))
        self.wait(2)
        self.assertEqual(self.sent(ADD), [])


class Permit(Gate):
    def test_closed_at_first(self):
        """Nobody may join before the cloud says so."""
        self.assertEqual(self.gateway.open_s(), CLOSED)
        self.refused(subs(1))

    def test_seconds(self):
        """Counted down to closed."""
        for seconds in (1, 60, 65534):
            self.assertEqual(self.permit(time=seconds), 200)
            self.assertEqual(self.gateway.open_s(), seconds)
            self.wait(seconds - 0.5, 60000)
            self.assertEqual(self.gateway.open_s(), 1)
            self.gateway.add([])
            self.wait(0.5)
            self.assertEqual(self.gateway.open_s(), CLOSED)
            self.refused(subs(1))

    def test_always(self):
        """0 is for good, over years of ticks."""
        self.permit(time=0)
        for _ in range(400):
            self.wait(DAY_MS // 1000, DAY_MS)
            self.assertEqual(self.gateway.open_s(), ALWAYS)

    def test_stays_closed(self):
        """A permit that has ended does not come back with the ticks."""
        self.permit(time=60)
        for _ in range(400):
            self.wait(DAY_MS // 1000, DAY_MS)
            self.assertEqual(self.gateway.open_s(), CLOSED)

    def test_stays_closed_though_nobody_looks(self):
        """As long as the session is stepped."""
        for days in (5, 7, 9, 11):
            self.permit(time=60)
            self.wait(days * 86400, DAY_MS // 8)
            self.assertEqual(self.gateway.open_s(), CLOSED)

    def test_the_last_one_counts(self):
        """Closed at once, always, or another time."""
        for time, left in ((0, ALWAYS), (65535, CLOSED), (9, 9), (65535, CLOSED)):
            self.permit(time=time)
            self.assertEqual(self.gateway.open_s(), left)
        self.permit(time=0)
        self.permit(time=5)
        self.wait(5)
        self.assertEqual(self.gateway.open_s(), CLOSED)

    def test_one_product(self):
        """With a productKey others may not join; without, any may."""
        self.permit(time=60, productKey="a1other")
        self.refused(subs(1))
        self.refused(subs(1, "a1other") + subs(1))
        self.gateway.add(subs(1, "a1other"))
        self.permit(time=60)
        self.gateway.add(subs(1))
        self.permit(time=60, productKey=None)
        self.gateway.add(subs(1))

    def test_told(self):
        """The application is told of each, once, whatever it makes of it."""
        for time in (0, 60, 65535):
            self.permit(time=time)
        self.assertEqual(self.permits, [0, 60, 65535])
        message = {"id": "99", "version": "1.0", "params": {"time": 7}}
        for _ in range(3):
            self.assertEqual(self.answers(PERMIT, message)[0]["code"], 200)
        self.assertEqual(self.permits, [0, 60, 65535, 7])

    def test_in_order(self):
        """Also of those that come together."""
        for time in (5, 0, 65535, 7):
            self.give(PERMIT, {"id": time, "params": {"time": time}})
        self.alink.step()
        self.assertEqual(self.permits, [5, 0, 65535, 7])

    def test_delivered_again(self):
        """A permit that comes a second time does not begin anew."""
        message = {"id": "99", "version": "1.0", "params": {"time": 60}}
        first = self.answers(PERMIT, message)
        self.wait(50)
        self.assertEqual(self.answers(PERMIT, message), first)
        self.assertEqual(self.gateway.open_s(), 10)

    def test_application_fails(self):
        """The permit holds."""
        self.boot()
        self.gateway._on_permit = None
        self.connect()
        self.assertEqual(self.permit(time=60), 200)
        self.boot()
        self.gateway._on_permit = lambda time: {}["s3cret"]
        self.connect()
        self.assertEqual(self.permit(time=60), 200)
        self.assertEqual(self.gateway.open_s(), 60)
        self.assertEqual(self.log[-1], ("failed", "KeyError"))

    def test_malformed(self):
        """460, and the permit of before holds."""
        self.permit(time=60, productKey="a1sub")
        for time in (None, "60", 60.0, -1, 65536, 1 << 40, True, [60], {}):
            self.assertEqual(self.permit(time=time), 460)
        self.assertEqual(self.permit(), 460)
        for key in ("", 7, "a b", "a/b", "#", [], {}, True, "x" * 65):
            self.assertEqual(self.permit(time=0, productKey=key), 460)
        self.assertEqual(self.gateway.open_s(), 60)
        self.assertEqual(self.permits, [60])
        self.gateway.add(subs(1))

    def test_hostile(self):
        """Whatever is done to a permit: answered once at most, and obeyed or not."""
        message = {"id": "7", "version": "1.0", "params": {"time": 60}}
        codes = {}
        for each in mutations(fakes.Dice(9), json.dumps(message).encode(), 2000):
            self.permit(time=65535)
            del self.permits[:]
            found = self.answers(PERMIT, each)
            code = found[0]["code"] if found else None
            codes[code] = codes.get(code, 0) + 1
            self.assertEqual(len(self.permits), int(code == 200), each)
            if code == 200:
                self.assertEqual(self.gateway.open_s(), self.permits[0])
            else:
                self.assertEqual(self.gateway.open_s(), CLOSED)
        self.assertTrue(
            codes[None] > 500 and codes[460] > 50 and codes[200] > 50, codes
        )


class Add(Gate):
    def setUp(self):
        Gate.setUp(self)
        self.permit(time=0)

    def test_message(self):
        """A list, each signed under its own secret, which is not in it."""
        self.gateway.add(subs(2), self.then)
        self.alink.step()
        ((topic, members),) = self.sent()
        self.assertEqual((topic, members["method"]), (ADD, "thing.topo.add"))
        self.assertNotIn("s3cret", str(members))
        self.assertEqual(pairs(members["params"]), pairs(subs(2)))
        for place, sub in enumerate(subs(2)):
            each = members["params"][place]
            text = "clientId%(clientId)sdeviceName%(deviceName)s" % each
            text += "productKey%(productKey)stimestamp%(timestamp)s" % each
            found = hmac_sha256(sub["deviceSecret"].encode(), text.encode())
            self.assertEqual(each["sign"], binascii.hexlify(found).decode())
            self.assertEqual(each["signmethod"], "hmacSha256")
            self.assertEqual(each["clientId"], "a1sub." + each["deviceName"])
            self.assertEqual(len(each), 6)
        self.reply(ADD, members)
        self.assertEqual(self.results, [(200, pairs(subs(2)))])

    def test_a_hundred(self):
        """One message after the other, none of them large, each told by itself."""
        self.gateway.add(subs(100), self.then)
        found = []
        for _ in range(100):
            self.alink.step()
            sizes = [len(json.dumps(members)) for _, members in self.session.published]
            self.assertTrue(all(size < 2048 for size in sizes), sizes)
            messages = self.sent(ADD)
            self.assertTrue(len(messages) <= 1)
            for members in messages:
                found += pairs(members["params"])
                self.reply(ADD, members)
        self.assertEqual(found, pairs(subs(100)))
        told = []
        for code, names in self.results:
            self.assertEqual(code, 200)
            told += names
        self.assertEqual(told, found)

    def test_in_order(self):
        """What was asked first is done first, also when it is the opposite."""
        self.gateway.add(subs(1), self.then)
        self.gateway.remove(pairs(subs(1)), self.then)
        self.gateway.add(subs(1), self.then)
        names = []
        for _ in range(9):
            self.alink.step()
            for name, members in self.sent():
                names.append(name)
                self.reply(name, members)
        self.assertEqual(names, [ADD, DELETE, ADD])
        self.assertEqual(self.results, [(200, pairs(subs(1)))] * 3)

    def test_refused_by_the_cloud(self):
        """Its code is told, and what comes next goes on."""
        self.gateway.add(subs(6), self.then)
        self.alink.step()
        self.reply(ADD, self.sent(ADD)[0], 6100)
        self.alink.step()
        self.reply(ADD, self.sent(ADD)[0], 200)
        self.assertEqual([code for code, _ in self.results], [6100, 200])

    def test_nobody_replies(self):
        """Three tries, then None, and what comes next goes on."""
        self.gateway.add(subs(6), self.then)
        self.wait(29)
        self.assertEqual((len(self.sent(ADD)), self.results), (3, []))
        self.wait(3)
        self.assertEqual(self.results, [(None, pairs(subs(5)))])
        self.assertEqual(pairs(self.sent(ADD)[0]["params"]), pairs(subs(6)[5:]))

    def test_broker_lost(self):
        """The message under way is sent again after the reconnection."""
        self.gateway.add(subs(7), self.then)
        self.session.lost = self.session.cut
        self.wait(100)
        self.assertEqual(self.sent(), [])
        self.connect()
        (members,) = self.sent(ADD)
        self.session.cut()
        self.wait(5)
        self.connect()
        self.assertEqual(self.sent(ADD), [members])
        self.reply(ADD, members)
        self.assertEqual(len(self.results), 1)

    def test_permit_ends_on_the_way(self):
        """What was not sent yet may not join any more, and that is told."""
        self.permit(time=5)
        self.gateway.add(subs(12), self.then)
        self.alink.step()
        (members,) = self.sent(ADD)
        self.wait(5)
        self.reply(ADD, members)
        self.wait(5)
        self.assertEqual(
            [code for code, _ in self.results], [200, FORBIDDEN, FORBIDDEN]
        )
        self.assertEqual(FORBIDDEN, 403)
        told = [name for _, names in self.results for name in names]
        self.assertEqual(told, pairs(subs(12)))
        self.assertEqual(self.sent(ADD), [])

    def test_permit_for_another_product_on_the_way(self):
        """The same."""
        self.gateway.add(subs(6), self.then)
        self.alink.step()
        (members,) = self.sent(ADD)
        self.permit(time=0, productKey="a1other")
        self.reply(ADD, members)
        self.wait(1)
        self.assertEqual([code for code, _ in self.results], [200, FORBIDDEN])

    def test_not_sub_devices(self):
        """One that cannot be: none is added."""
        good = subs(1)[0]
        bad = [None, 7, "sub", [], {}]
        for name in good:
            for value in (None, "", 7, "a b", [], {}):
                wrong = dict(good)
                wrong[name] = value
                bad.append(wrong)
        for each in bad:
            self.refused([good, each], "FIELD")

    def test_none(self):
        """Nothing to do is nothing to say."""
        self.gateway.add([], self.then)
        self.gateway.remove([], self.then)
        self.wait(5)
        self.assertEqual((self.sent(), self.results), ([], []))

    def test_application_fails(self):
        """The next message is sent all the same."""

        def raising(code, names):
            self.results.append(code)
            raise KeyError("s3cret")

        self.gateway.add(subs(11), raising)
        for _ in range(3):
            self.alink.step()
            self.reply(ADD, self.sent(ADD)[0])
        self.assertEqual(self.results, [200] * 3)
        self.assertEqual(self.log[-1], ("failed", "KeyError"))

    def test_application_goes_on(self):
        """From where it is told."""
        self.gateway.add(
            subs(1), lambda code, names: self.gateway.remove(names, self.then)
        )
        self.alink.step()
        self.reply(ADD, self.sent(ADD)[0])
        self.alink.step()
        (members,) = self.sent(DELETE)
        self.reply(DELETE, members)
        self.assertEqual(self.results, [(200, pairs(subs(1)))])

    def test_the_list_is_the_application_s(self):
        """It may change it, and finds it as it was."""
        mine = subs(7)
        self.gateway.add(mine, self.then)
        self.alink.step()
        self.assertEqual(mine, subs(7))
        mine.clear()
        self.reply(ADD, self.sent(ADD)[0])
        self.alink.step()
        self.assertEqual(len(self.sent(ADD)[0]["params"]), 2)


class Remove(Gate):
    def test_message(self):
        """Names only; no permit is needed to take one away."""
        self.gateway.remove(pairs(subs(2)), self.then)
        self.alink.step()
        ((topic, members),) = self.sent()
        self.assertEqual((topic, members["method"]), (DELETE, "thing.topo.delete"))
        expected = [
            {"productKey": key, "deviceName": name} for key, name in pairs(subs(2))
        ]
        self.assertEqual(members["params"], expected)
        self.reply(DELETE, members)
        self.assertEqual(self.results, [(200, pairs(subs(2)))])

    def test_not_names(self):
        """Nothing is sent."""
        for wrong in (("a1", ""), ("", "sub"), ("a1", None), ("a/b", "sub"), (7, 7)):
            with self.assertRaises(PointError) as raised:
                self.gateway.remove([("a1", "sub"), wrong])
            self.assertEqual(raised.exception.name, "FIELD")
        self.wait(1)
        self.assertEqual(self.sent(), [])


class Topology(Gate):
    def asked(self):
        self.gateway.topology(self.results.append)
        self.alink.step()
        ((topic, members),) = self.sent()
        self.assertEqual((topic, members["params"]), (GET, {}))
        self.assertEqual(members["method"], "thing.topo.get")
        return members

    def given(self, code, data):
        message = {"id": self.asked()["id"], "code": code, "data": data}
        self.give(GET + "_reply", message)
        self.alink.step()
        return self.results.pop()

    def test_names(self):
        """Of none, and of 100 with the longest names of the cloud."""
        self.assertEqual(self.given(200, []), [])
        data = [
            {
                "productKey": "a1B2c3D4e5F",
                "deviceName": "sub-%028d" % n,
                "iotId": "x" * 32,
            }
            for n in range(100)
        ]
        self.assertEqual(self.given(200, data), pairs(data))

    def test_none(self):
        """Refused, or malformed."""
        good = {"productKey": "a1", "deviceName": "sub"}
        self.assertIsNone(self.given(460, [good]))
        for data in (None, {}, "x", 7, [None], [good, {}], [{"deviceName": "sub"}]):
            self.assertIsNone(self.given(200, data))

    def test_nobody_replies(self):
        """After three tries."""
        self.asked()
        self.wait(32)
        self.assertEqual((len(self.sent(GET)), self.results), (2, [None]))

    def test_application_fails(self):
        """It is not asked again for that."""
        self.gateway.topology(lambda names: {}["s3cret"])
        self.alink.step()
        self.reply(GET, self.sent(GET)[0], 200, [])
        self.wait(60)
        self.assertEqual(self.sent(GET), [])
        self.assertEqual(self.log[-1], ("failed", "KeyError"))

    def test_hostile(self):
        """Whatever is done to a reply: names that can be, or None."""
        data = [{"productKey": "a1", "deviceName": "sub"}] * 2
        count = 0
        for seed in range(300):
            good = {"id": self.asked()["id"], "code": 200, "data": data}
            for each in mutations(fakes.Dice(seed + 1), json.dumps(good).encode(), 3):
                self.give(GET + "_reply", each)
                self.alink.step()
            for names in self.results:
                count += names is not None
                for pair in names or ():
                    self.assertEqual([type(text) for text in pair], [str, str])
            self.assertTrue(len(self.results) <= 1)
            self.results.clear()
        self.assertTrue(count > 10, count)

"""point.aliyun.register: credentials from Alibaba's cloud, by PointAccess.ensure()."""

import unittest

import cloud
import fakes
from cloud import DATA, KEY, NAME, PRODUCT_SECRET, TRUST, WAYS

from point import credentials, mqttauth, provision
from point.access import PointAccess
from point.aliyun import login as aliyun
from point.aliyun import register_mqtt as registermqtt
from point.errors import CONNECT, FLASH, READ_BACK, PointError
from point.store import Store

try:
    from umqtt import simple
except ImportError:
    raise unittest.SkipTest("umqtt.simple is missing: run make test")  # noqa: B904


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.cloud = cloud.Cloud()
        self.patch = fakes.Patch()
        fakes.hold(self.patch)
        self.patch.set(simple, "socket", simple.socket)
        self.now = 0
        for module in (provision, registermqtt):
            self.patch.set(module, "sleep_ms", self.sleep_ms)

    def tearDown(self):
        self.patch.undo()
        self.folder.remove()

    def sleep_ms(self, ms):
        self.now += ms

    def boot(self, by="https", trust=TRUST, **more):
        """What main.py has after setup.prepare(), over the same flash."""
        self.board = cloud.Board(self.folder.path, self.cloud, simple)
        access = PointAccess(self.board, trust=trust, store=Store(self.folder.path))
        access.identity = cloud.registration(by, **more)
        return access

    def kept(self):
        """The record in flash, and whether a connection has worked with it."""
        store = Store(self.folder.path)
        return store.load(), store.confirmed

    def untouched(self, access, name):
        """Nothing was adopted, and nothing kept but perhaps the count of attempts."""
        self.assertEqual(access.error.name, name)
        device = access.device_config["device"]
        self.assertEqual((device["deviceName"], device["deviceSecret"]), ("", ""))
        self.assertEqual(access.device_config["connect"]["host"], "")
        self.assertIsNone(access.source)
        kept = [n for n in self.folder.names() if n[:7] != "pending"]
        self.assertEqual(kept, [])

    def all_closed(self):
        ends = [stream.closed for stream in self.board.streams]
        ends += [sock.closes for sock in self.board.sockets]
        self.assertEqual(ends, [1] * len(self.board.connected))


class Success(Case):
    def test_over_https(self):
        """Asked at the cloud's own address, signed with the product's secret."""
        access = self.boot()
        self.assertEqual(access.ensure(None, DATA), "00000")
        (asked,) = self.cloud.asked
        self.assertEqual((asked["productKey"], asked["deviceName"]), (KEY, NAME))
        self.assertEqual(asked["signMethod"], "hmacsha256")
        self.assertEqual(len(asked["random"]), 32)
        where = ("iot-auth.cn-shanghai.aliyuncs.com", 443, TRUST, 30)
        self.assertEqual(self.board.connected, [where])
        self.assertIn("POST /auth/register/device HTTP/1.1\r\n", asked["head"])
        self.assertEqual(
            access.device_config,
            {
                "device": {
                    "productKey": KEY,
                    "productSecret": None,
                    "deviceName": NAME,
                    "deviceSecret": "secret-0",
                },
                "connect": {
                    "qos": 1,
                    "cleanSession": 0,
                    "host": KEY + ".iot-as-mqtt.cn-shanghai.aliyuncs.com",
                    "auth": "aliyun",
                    "signMethod": "hmacsha256",
                },
            },
        )
        self.assertEqual((access.source, access.error), ("server", None))
        self.all_closed()

    def test_over_mqtt(self):
        """The same, but asked by a CONNECT and answered by a PUBLISH."""
        access = self.boot("mqtt")
        self.assertEqual(access.ensure(None, DATA), "00000")
        host = KEY + ".iot-as-mqtt.cn-shanghai.aliyuncs.com"
        self.assertEqual(self.board.connected, [(host, 8883, TRUST, 30)])
        (asked,) = self.cloud.asked
        self.assertEqual((asked["kind"], asked["securemode"]), ("register", "2"))
        config = access.device_config
        self.assertEqual(config["device"]["deviceSecret"], "secret-0")
        self.assertEqual(config["connect"]["auth"], "aliyun")
        self.assertEqual(config["connect"]["host"], host)
        self.assertNotIn("clientId", config["connect"])
        self.all_closed()

    def test_by_token(self):
        """Unknown to the cloud before: a token, and the client id that goes with it."""
        access = self.boot("mqtt-token")
        self.assertEqual(access.ensure(None, DATA), "00000")
        self.assertEqual(self.cloud.asked[0]["kind"], "regnwl")
        config = access.device_config
        self.assertEqual(config["device"]["deviceSecret"], "secret-0")
        self.assertEqual(config["connect"]["auth"], "aliyun-token")
        self.assertEqual(config["connect"]["clientId"], "given-client-id")
        self.all_closed()

    def test_what_is_got_logs_in(self):
        """mqttauth makes of the credentials what their way of logging in needs."""
        for by, word in (
            ("https", "signmethod=hmacsha256"),
            ("mqtt", "signmethod=hmacsha256"),
            ("mqtt-token", "authType=connwl"),
        ):
            access = self.boot(by)
            access.ensure(None, DATA)
            found = mqttauth.settings(access.device_config, access.random)
            self.assertIn(word, found["clientId"])
            self.assertEqual(found["user"], NAME + "&" + KEY)
            token = found["password"] == self.cloud.issued[-1]
            self.assertEqual(token, by == "mqtt-token")
            access.forget()

    def test_kept(self):
        """The next boot has them from flash, and asks nobody."""
        for by in WAYS:
            access = self.boot(by)
            self.assertEqual(access.ensure(None, DATA), "00000")
            record, confirmed = self.kept()
            self.assertEqual(credentials.checked(record), access.device_config)
            self.assertEqual((record["time"], confirmed), (fakes.NOW, False))
            asked = len(self.cloud.asked)
            again = self.boot(by)
            self.assertEqual(again.ensure(None, DATA), "00000")
            self.assertEqual(again.device_config, access.device_config)
            self.assertEqual(again.source, "flash")
            self.assertEqual(len(self.cloud.asked), asked)
            again.confirm()
            self.assertTrue(self.kept()[1])
            again.forget()

    def test_product_secret_is_not_kept(self):
        """Nor is it sent, in any spelling that this connection has."""
        for by in WAYS:
            access = self.boot(by)
            access.ensure(None, DATA)
            self.assertNotIn(PRODUCT_SECRET, str(self.kept()[0]))
            wire = b"".join([b"".join(s.writes) for s in self.board.streams])
            wire += b"".join([b"".join(s.sent) for s in self.board.sockets])
            self.assertIn(NAME.encode(), wire)
            self.assertNotIn(PRODUCT_SECRET.encode(), wire)
            access.forget()

    def test_settings_of_the_board(self):
        """MQTT's host and port are the board's to know better, also to register."""
        for by in ("mqtt", "mqtt-token"):
            access = self.boot(by)
            access.overrides = {"host": "broker", "port": 1884, "keepAlive": 60}
            self.assertEqual(access.ensure(None, DATA), "00000")
            self.assertEqual(self.board.connected, [("broker", 1884, TRUST, 30)])
            connect = access.device_config["connect"]
            self.assertEqual((connect["host"], connect["port"]), ("broker", 1884))
            kept = self.kept()[0]["connect"]
            self.assertEqual(kept["host"], aliyun.host(KEY))
            self.assertNotIn("port", kept)
            access.forget()

    def test_region_and_instance(self):
        """They say where to ask, and where to connect later."""
        region = {"region": "eu-central-1"}
        access = self.boot(**region)
        self.assertEqual(access.ensure(None, DATA), "00000")
        host = "iot-auth.eu-central-1.aliyuncs.com"
        self.assertEqual(self.board.connected[0][0], host)
        host = KEY + ".iot-as-mqtt.eu-central-1.aliyuncs.com"
        self.assertEqual(access.device_config["connect"]["host"], host)
        self.assertEqual(access.device_config["connect"]["region"], "eu-central-1")
        access.forget()
        access = self.boot("mqtt", **region)
        self.assertEqual(access.ensure(None, DATA), "00000")
        self.assertEqual(self.board.connected[0][0], host)
        access.forget()
        for by in ("mqtt", "mqtt-token"):
            access = self.boot(by, instanceId="iot-cn-1", **region)
            self.assertEqual(access.ensure(None, DATA), "00000")
            asked = self.cloud.asked[-1]
            found = asked["securemode"], asked["instanceId"]
            self.assertEqual(found, ("-2", "iot-cn-1"))
            host = "iot-cn-1.mqtt.iothub.aliyuncs.com"
            self.assertEqual(self.board.connected[0][0], host)
            connect = access.device_config["connect"]
            self.assertEqual(
                (connect["host"], connect["instanceId"]), (host, "iot-cn-1")
            )
            access.forget()

    def test_url(self):
        """A url of the settings' is asked instead of the cloud's own."""
        access = self.boot()
        url = "https://proxy.example.com:8443/register?x=1"
        self.assertEqual(access.ensure(url, DATA), "00000")
        self.assertEqual(self.board.connected[0][:2], ("proxy.example.com", 8443))
        self.assertIn("POST /register?x=1 HTTP", self.cloud.asked[0]["head"])

    def test_sign_methods(self):
        """Each is asked with, and stays with the credentials."""
        for method in ("hmacsha1", "hmacsha256"):
            for by in WAYS:
                access = self.boot(by, signMethod=method)
                self.assertEqual(access.ensure(None, DATA), "00000")
                self.assertEqual(self.cloud.asked[-1]["signMethod"], method)
                connect = access.device_config["connect"]
                self.assertEqual(connect["signMethod"], method)
                access.forget()

    def test_random_is_fresh(self):
        """Each attempt has its own, and so has each boot: nothing can be replayed."""
        for by in WAYS:
            self.cloud.asked.clear()
            seen = []
            for boot in range(3):
                access = self.boot(by)
                self.board.dice = fakes.Dice(boot + 1)
                self.cloud.script = [lambda request: b""] * 2
                self.assertEqual(access.ensure(None, DATA), "00000")
                access.forget()
            seen = [asked["random"] for asked in self.cloud.asked]
            self.assertEqual(len(seen), 9)
            self.assertEqual(len(set(seen)), 9)
            signs = [asked["sign"] for asked in self.cloud.asked]
            self.assertEqual(len(set(signs)), 9)


class Order(Case):
    """What is in flash before what."""

    def test_kept_before_anything_else(self):
        """Saved and read back, and only then adopted, and the connection closed."""
        for by in WAYS:
            access = self.boot(by)
            seen = []
            save = access.store.save

            def saving(record, access=access, seen=seen, save=save):
                ends = [s.closed for s in self.board.streams]
                ends += [s.closes for s in self.board.sockets]
                seen.append((access.source, ends))
                save(record)
                ends = [s.closed for s in self.board.streams]
                ends += [s.closes for s in self.board.sockets]
                secret = access.device_config["device"]["deviceSecret"]
                seen.append((secret, ends, self.kept()[0]["device"]["deviceSecret"]))

            access.store.save = saving
            self.assertEqual(access.ensure(None, DATA), "00000")
            secret = self.cloud.issued[-1]
            self.assertEqual(seen, [(None, [0]), ("", [0], secret)])
            self.all_closed()
            access.forget()

    def test_flash_fails(self):
        """What is not in flash has not been got; the next attempt gets another."""
        for by in WAYS:
            for number, name in ((FLASH, "FLASH"), (READ_BACK, "READ_BACK")):
                access = self.boot(by)
                save = access.store.save
                error = PointError(number)

                def failing(record, error=error):
                    raise error

                access.store.save = failing
                self.assertEqual(access.ensure(None, DATA, 1), "77777")
                self.untouched(access, name)
                self.all_closed()
                access.store.save = save
                self.assertEqual(access.ensure(None, DATA, 1), "00000")
                device = access.device_config["device"]
                self.assertEqual(device["deviceSecret"], self.cloud.issued[-1])
                access.forget()

    def test_power_cut_before_the_flash(self):
        """A device that has not connected registers again; the last secret counts."""

        class PowerCut(Exception):
            pass

        def cut(record):
            raise PowerCut

        for by in WAYS:
            access = self.boot(by)
            access.store.save = cut
            with self.assertRaises(PowerCut):
                access.ensure(None, DATA)
            self.assertIsNone(self.kept()[0])
            access = self.boot(by)
            self.assertEqual(access.ensure(None, DATA), "00000")
            device = access.device_config["device"]
            self.assertEqual(device["deviceSecret"], self.cloud.issued[-1])
            access.forget()


class Refusals(Case):
    def test_active_already(self):
        """The second registration of a device that has connected is told as such."""
        for by, code, words in (
            ("https", "6288", "the cloud answered 6288: active already"),
            ("mqtt", "40901", "CONNACK 4: active already"),
            ("mqtt-token", "40901", "CONNACK 4: active already"),
        ):
            self.cloud.active = [NAME]
            access = self.boot(by)
            self.assertEqual(access.ensure(None, DATA, 1), code)
            self.untouched(access, "REFUSED")
            self.assertIn(words, access.error.detail)
            self.all_closed()
            # What main.py says of it is one line, and nothing of it is the cloud's.
            said = "%s %s" % (code, access.error or access.source)
            self.assertEqual(said[: len(code) + 13], code + " E35 REFUSED:")
            self.assertNotIn("\n", said)
            self.assertNotIn("Forged", said)

    def test_wrong_product_secret(self):
        """It looks the same, and the words do not rule it out."""
        for by in WAYS:
            access = self.boot(by, productSecret="another")
            self.assertIn(access.ensure(None, DATA, 1), ("6288", "40901"))
            self.untouched(access, "REFUSED")
            self.assertIn("product secret is wrong", access.error.detail)
            self.assertNotIn("another", str(access.error))

    def test_what_there_was_stays(self):
        """A board whose credentials the broker refuses keeps them if it gets no others.

        Once an operator has reset the device in the cloud it registers anew."""
        for by in WAYS:
            access = self.boot(by)
            self.assertEqual(access.ensure(None, DATA), "00000")
            before = access.device_config
            record = self.kept()[0]
            self.cloud.active = [NAME]
            access.rejected = True
            self.assertIn(access.ensure(None, DATA, 2), ("6288", "40901"))
            self.assertIs(access.device_config, before)
            self.assertEqual(self.kept()[0], record)
            self.cloud.active = []
            access.rejected = True
            self.assertEqual(access.ensure(None, DATA, 2), "00000")
            device = access.device_config["device"]
            self.assertEqual(device["deviceSecret"], self.cloud.issued[-1])
            self.assertNotEqual(device, before["device"])
            access.forget()

    def test_confirmed_ones_come_back(self):
        """A candidate that the broker refuses gives way to what had worked."""
        access = self.boot("mqtt")
        access.ensure(None, DATA)
        access.confirm()
        access.rejected = True
        self.assertEqual(access.ensure(None, DATA), "00000")
        self.assertEqual(access.device_config["device"]["deviceSecret"], "secret-1")
        access.rejected = True
        self.assertEqual(access.ensure(None, DATA), "00000")
        self.assertEqual(access.device_config["device"]["deviceSecret"], "secret-0")
        self.assertEqual(access.source, "flash")

    def test_back_off(self):
        """A cloud that refuses is asked as rarely as any server, over reboots too."""
        for by in WAYS:
            self.now = 0
            self.cloud.active = [NAME]
            access = self.boot(by)
            access.random = lambda count: b"\xff" * count
            self.cloud.asked.clear()
            access.ensure(None, DATA, 5)
            self.assertEqual(len(self.cloud.asked), 5)
            waits = [2000 << n for n in range(4)]
            self.assertEqual(self.now, sum([most * 65535 >> 16 for most in waits]))
            self.assertEqual(access.claim.attempts, 5)

    def test_attempts_are_kept(self):
        """As those of a claim at the customer's server are."""
        self.cloud.active = [NAME]
        access = self.boot("mqtt")
        access.random = bytes  # each lot falls for a write
        access.ensure(None, DATA, 2)
        self.assertGreater(self.boot().claim.attempts, 1)
        self.cloud.active = []
        access = self.boot("mqtt")
        self.assertEqual(access.ensure(None, DATA, 2), "00000")
        access.confirm()
        self.assertEqual(self.boot().claim.attempts, 0)


class Unverified(Case):
    def test_nothing_is_sent(self):
        """Without a CA or pins, and on firmware that verifies nobody."""
        for by in WAYS:
            for trust, verifies in (
                (None, True),
                ({}, True),
                ({"pins": []}, True),
                ({"ca": None, "pins": None}, True),
                (TRUST, False),
                ({"pins": [bytes(32)]}, False),
            ):
                access = self.boot(by, trust=trust)
                self.board.VERIFIES = verifies
                self.assertEqual(access.ensure(None, DATA, 1), "77777")
                self.untouched(access, "UNVERIFIED")
                self.assertEqual((self.board.connected, self.cloud.asked), ([], []))

    def test_without_a_board(self):
        """There is nobody who could verify: the same."""
        for by in WAYS:
            access = PointAccess(trust=TRUST, store=Store(self.folder.path))
            access.identity = cloud.registration(by)
            self.assertEqual(access.ensure(None, DATA, 1), "77777")
            self.untouched(access, "UNVERIFIED")

    def test_pins_alone(self):
        """They verify, and go to whoever connects."""
        trust = {"pins": [bytes(32)]}
        for by in WAYS:
            access = self.boot(by, trust=trust)
            self.assertEqual(access.ensure(None, DATA), "00000")
            self.assertIs(self.board.connected[0][2], trust)
            access.forget()

    def test_url_without_tls(self):
        """Told before anybody is connected to."""
        access = self.boot()
        self.assertEqual(access.ensure("http://a/", DATA, 1), "77777")
        self.untouched(access, "OPTION")
        self.assertEqual(self.board.connected, [])


class Failures(Case):
    """Whatever the answer is: a typed error, and nothing half-changed."""

    def answers(self, by, data, name):
        """An answer of this content."""

        def answer(request):
            if by == "https":
                return cloud.in_http(data)
            return cloud.CONNACK + cloud.in_publish(request, data)

        self.cloud.script = [answer]
        access = self.boot(by)
        self.assertEqual(access.ensure(None, DATA, 1), "77777", (by, data))
        self.untouched(access, name)
        self.all_closed()
        return access.error.detail

    def right(self, by):
        kind = "regnwl" if by == "mqtt-token" else "register"
        request = {"productKey": KEY, "deviceName": NAME, "kind": kind}
        return self.cloud.data(request)

    def test_another_devices(self):
        """The names in the answer are ours to the letter, or it is not for us."""
        for by in WAYS:
            for name in ("productKey", "deviceName"):
                right = self.right(by)[name]
                for value in (
                    right.upper() + "x",
                    right.lower() + " ",
                    "",
                    "../" + right,
                    None,
                    1,
                    True,
                    [right],
                    {right: 1},
                ):
                    data = self.right(by)
                    data[name] = value
                    detail = self.answers(by, data, "FIELD")
                    self.assertIn(name, detail)
                data = self.right(by)
                del data[name]
                self.answers(by, data, "FIELD")

    def test_secret(self):
        """Missing, of another type, too long, or no text: no credentials."""
        for by in WAYS:
            name = "deviceToken" if by == "mqtt-token" else "deviceSecret"
            for value in ("", None, 1, [], {}, True, "x" * 257, "a b", "a\n", "\x7f"):
                data = self.right(by)
                data[name] = value
                self.answers(by, data, "FIELD")
            data = self.right(by)
            del data[name]
            self.answers(by, data, "FIELD")

    def test_secret_of_the_other_form(self):
        """A token does not stand in for a secret, nor a secret for a token."""
        for by in WAYS:
            data = self.right("mqtt" if by == "mqtt-token" else "mqtt-token")
            self.answers(by, data, "FIELD")

    def test_client_id(self):
        """Without one that can be one a token is of no use."""
        for value, name in (
            (None, "FIELD"),
            ("", "FIELD"),
            (7, "FIELD"),
            ("a b", "FIELD"),
            ("x" * 257, "FIELD"),
            ("x" * 65, "OPTION"),
            ("a|securemode=3|", "OPTION"),
        ):
            data = self.right("mqtt-token")
            data["clientId"] = value
            self.answers("mqtt-token", data, name)

    def test_no_object(self):
        """The data is something else."""
        for data in (None, [], "x", 1, True, [{}]):
            self.answers("https", data, "FIELD")
        for by in WAYS:
            self.answers(by, {}, "FIELD")

    def test_names_that_cannot_log_in(self):
        """Together they may be no longer than a client id: told, and not kept."""
        access = self.boot("https", deviceName="x" * 64)
        self.assertEqual(access.ensure(None, DATA, 1), "77777")
        self.untouched(access, "OPTION")

    def test_more_than_asked_for(self):
        """Members that nobody asked for are dropped."""
        for by in WAYS:

            def answer(request, by=by):
                data = self.right(by)
                data.update({"host": "evil", "connect": {"host": "evil"}})
                data.update({"productSecret": "x", "auth": "plain", "random": "r"})
                if by == "https":
                    return cloud.in_http(data)
                return cloud.CONNACK + cloud.in_publish(request, data)

            self.cloud.script = [answer]
            access = self.boot(by)
            self.assertEqual(access.ensure(None, DATA), "00000")
            self.assertNotIn("evil", str(access.device_config))
            self.assertIsNone(access.device_config["device"]["productSecret"])
            self.assertIn(access.device_config["connect"]["auth"][:6], "aliyun")
            access.forget()

    def test_nobody_there(self):
        """A network that fails is that, each time, and the next attempt goes on."""
        for by in WAYS:
            access = self.boot(by)
            error = PointError(CONNECT)

            def failing(*where, error=error):
                raise error

            connect = self.board.connect
            self.board.connect = self.board._connect = failing
            self.assertEqual(access.ensure(None, DATA, 3), "77777")
            self.untouched(access, "CONNECT")
            self.board.connect = connect
            del self.board._connect
            self.assertEqual(access.ensure(None, DATA), "00000")
            access.forget()

    def test_memory(self):
        """Too little of it, wherever: NO_MEMORY, and nothing is kept."""

        def none(*arguments):
            raise MemoryError

        for by, where in (
            ("https", "connect"),
            ("mqtt", "mqtt"),
            ("mqtt", "_connect"),
            ("mqtt-token", "_connect"),
        ):
            access = self.boot(by)
            setattr(self.board, where, none)
            self.assertEqual(access.ensure(None, DATA, 1), "77777")
            self.untouched(access, "NO_MEMORY")
        for by in WAYS:
            access = self.boot(by)
            access.random = lambda count: (
                none() if count == 16 else bytes([255] * count)
            )
            self.assertEqual(access.ensure(None, DATA, 1), "77777")
            self.untouched(access, "NO_MEMORY")

    def test_lacking(self):
        """A hash that this firmware has not is told, and nothing is sent."""

        class Hashes:
            pass

        self.patch.set(aliyun, "hashlib", Hashes)
        for by in WAYS:
            access = self.boot(by, signMethod="hmacmd5")
            self.assertEqual(access.ensure(None, DATA, 1), "77777")
            self.untouched(access, "LACKING")
            self.assertEqual(self.board.connected, [])

    def test_no_secret_in_any_error(self):
        """Not the product's, not the device's, whatever is wrong with the answer."""
        canary = "C4n4ry"
        for by in WAYS:
            secret = "deviceToken" if by == "mqtt-token" else "deviceSecret"
            for name in ("productKey", "deviceName", secret, "clientId"):
                if name == "clientId" and by != "mqtt-token":
                    continue
                data = self.right(by)
                data[secret] = canary
                data[name] = canary + "|\x01"
                detail = self.answers(by, data, "FIELD")
                self.assertNotIn(canary, detail)
                self.assertNotIn(PRODUCT_SECRET, detail)

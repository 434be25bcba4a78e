"""main.py as it is: a board that boots, over and over, on any source of credentials."""

import json
import sys
import unittest

import cloud
import fakes
from cloud import KEY, NAME, PRODUCT_SECRET

from point import compat, provision, session, store
from point.errors import CONNECT, PointError

MAIN = __file__.rsplit("/", 1)[0] + "/../../main.py"


class Restart(Exception):
    """board.restart(): on a board nothing comes after it."""


class Over(Exception):
    """The test has seen enough."""


class Client:
    """A broker that takes everybody, and hands their first message back."""

    def __init__(self, settings):
        self.settings = settings
        self.published = []
        self.subscribed = []

    def connect(self):
        pass

    def subscribe(self, topic, qos):
        self.subscribed.append(topic)

    def publish(self, topic, message, qos):
        self.published.append((topic, message))

    def check(self):
        return True

    def ping(self):
        pass

    def close(self):
        pass


class Board(cloud.Board):
    """All that firmware/template/board.py asks for."""

    def __init__(self, directory, clouds):
        cloud.Board.__init__(self, directory, clouds)
        self.clients = []

    def random(self, count):
        """The longest waits, so that time passes."""
        return self.dice(count) if count == 16 else b"\xff" * count

    def imei(self):
        return "490154203237518"

    def claim_key(self):
        return b"k" * 32

    def flash_key(self):
        return b"f" * 32

    def mqtt(self, settings):
        self.clients.append(Client(settings))
        return self.clients[-1]

    def restart(self):
        raise Restart


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.folder.write("ca.der", b"\x30\x82")
        self.cloud = cloud.Cloud()
        self.patch = fakes.Patch()
        fakes.hold(self.patch)
        for module in (compat, provision):
            self.patch.set(module, "sleep_ms", self.sleep_ms)
        self.now = 0
        self.most_ms = 10**9

    def tearDown(self):
        self.patch.undo()
        sys.modules.pop("board", None)
        self.folder.remove()

    def sleep_ms(self, ms):
        self.now += ms
        if self.now > self.most_ms:
            raise Over

    def boot(self, **more):
        """Run main.py until it restarts or is over; what it said, in lines."""
        values = {"productKey": KEY, "ca": "ca.der", "spreadS": 0}
        values["productSecret"] = PRODUCT_SECRET
        values.update(more)
        self.folder.write("settings.json", json.dumps(values).encode())
        self.board = sys.modules["board"] = Board(self.folder.path, self.cloud)
        said = []
        self.now = 0
        with open(MAIN) as file:
            source = file.read()
        self.restarted = False
        try:
            exec(source, {"__name__": "main", "print": said.append})
        except Restart:
            self.restarted = True
        except Over:
            pass
        return [line.split("] ", 1)[1] for line in said]

    def aliyun(self, **more):
        self.most_ms = 60000
        return self.boot(source="aliyun", deviceName=NAME, **more)


class Aliyun(Case):
    def test_first_boot(self):
        """It registers, connects with what it got, and says hello."""
        said = self.aliyun()
        self.assertEqual(said[0], "boot IMEI 490154203237518")
        self.assertEqual(said[1], "credentials 00000 server")
        host = KEY + ".iot-as-mqtt.cn-shanghai.aliyuncs.com"
        self.assertEqual(said[2].strip(), "connected " + host)
        (client,) = self.board.clients
        self.assertIn("securemode=2,signmethod=hmacsha256", client.settings["clientId"])
        self.assertEqual(client.settings["user"], NAME + "&" + KEY)
        topics = "/%s/%s/user/" % (KEY, NAME)
        self.assertEqual(client.published, [(topics + "up", b'{"online":true}')])
        self.assertEqual(client.subscribed, [topics + "down"])
        self.assertEqual(len(self.cloud.asked), 1)
        self.assertFalse(self.restarted)

    def test_second_boot(self):
        """It asks nobody, and connects with the same."""
        self.aliyun()
        first = self.board.clients[0].settings["password"]
        said = self.aliyun()
        self.assertEqual(said[1], "credentials 00000 flash")
        self.assertEqual(self.board.clients[0].settings["password"], first)
        self.assertEqual(len(self.cloud.asked), 1)

    def test_registered_and_active(self):
        """A board whose flash was erased after all that is refused, and says so."""
        self.aliyun()
        for name in self.folder.names():
            if name[:11] == "credentials":
                self.folder.write(name, b"")
        self.cloud.active = [NAME]
        said = self.aliyun()
        why = "credentials 6288 E35 REFUSED: the cloud answered 6288: active already,"
        self.assertEqual(said[1][: len(why)], why)
        self.assertEqual(self.board.clients, [])
        self.assertFalse(self.restarted)

    def test_name_by_the_imei(self):
        """Without a deviceName the device is called by its IMEI."""
        self.most_ms = 1000
        self.boot(source="aliyun")
        self.assertEqual(self.cloud.asked[0]["deviceName"], "490154203237518")


class Memory(Case):
    def test_flash_cannot_be_looked_into(self):
        """Who has no room for that restarts, at once and without asking anybody."""

        def none(self):
            raise MemoryError

        self.patch.set(store.Store, "load", none)
        said = self.aliyun()
        self.assertTrue(self.restarted)
        self.assertEqual(len(said), 2)
        self.assertEqual(said[1][:32], "credentials 77777 E70 NO_MEMORY:")
        self.assertEqual((self.board.connected, self.now), ([], 0))

    def test_no_room_to_ask(self):
        """Who could not ask for it restarts as well, after its growing waits."""

        def none(*where):
            raise MemoryError

        self.patch.set(fakes.Board, "connect", none)
        said = self.aliyun()
        self.assertTrue(self.restarted)
        self.assertEqual(len(said), 2)
        self.assertIn("NO_MEMORY", said[1])

    def test_no_room_for_a_session(self):
        """MQTT that does not load is no end of the board."""

        def none(*arguments):
            raise MemoryError

        self.patch.set(session, "Session", none)
        said = self.aliyun()
        self.assertTrue(self.restarted)
        self.assertEqual(said[1:], ["credentials 00000 server"])
        self.assertEqual(self.aliyun()[1:], ["credentials 00000 flash"])
        self.assertTrue(self.restarted)

    def test_no_other_failure_restarts(self):
        """A network or a cloud that fails is waited for, for ever."""

        def failing(*where):
            raise PointError(CONNECT, "nobody there")

        self.patch.set(fakes.Board, "connect", failing)
        self.most_ms = 10**8
        said = self.boot(source="aliyun", deviceName=NAME)
        self.assertFalse(self.restarted)
        self.assertGreater(len(said), 5)
        for line in said[1:]:
            self.assertIn("credentials 77777 E11 CONNECT", line)

"""point.room: modules that are let go, and come back when they are wanted."""

import sys
import unittest

import cloud
import fakes
import provisioning
from provisioning import DATA, KEY, TRUST, URL, Server

from point import room
from point.access import PointAccess
from point.compat import micropython
from point.errors import PointError


def loaded():
    """Those of FINDERS that this VM has in memory."""
    return [name for name in room.FINDERS if "point." + name in sys.modules]


class Room(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.server = Server()
        self.dice = fakes.Dice()

    def tearDown(self):
        self.folder.remove()

    def boot(self):
        """A board over the folder, with a key of its own for the flash."""
        board = fakes.Board(self.folder.path, [self.server])
        board.random = lambda count: (
            self.dice(count) if count == 16 else fakes.Board.random(board, count)
        )
        access = PointAccess(board, claim_key=KEY, trust=TRUST)
        access.flash_key = b"f" * 32
        return access

    def test_names(self):
        """Each is a module, and none of those that stay is among them."""
        for name in room.FINDERS:
            __import__("point." + name)
        stay = "access compat errors flow mqttauth mqttclient broker session stream"
        for name in (stay + " trust digest clock room").split():
            self.assertNotIn(name, room.FINDERS)
        self.assertEqual(len(set(room.FINDERS)), len(room.FINDERS))

    def test_let_go(self):
        """On a board they are gone, and another import loads them anew."""
        from point import url

        room.unload(("url", "no_such_module"))
        self.assertEqual("point.url" in sys.modules, not micropython)
        from point import url as again

        self.assertEqual(again is url, not micropython)
        self.assertEqual(again.split("https://a/b"), url.split("https://a/b"))

    def test_gone_with_the_credentials(self):
        """Once they are there, and again once the broker took them."""
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        gone = [] if micropython else list(room.FINDERS)
        held = [name for name in loaded() if name not in gone]
        self.assertEqual(held, [])
        access.confirm()
        held = [name for name in loaded() if name not in gone]
        self.assertEqual(held, [])

    def test_what_was_asked_before_a_connection(self):
        """Whoever looks into the flash of a warm board does not keep it open."""
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        access.confirm()
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        gone = [] if micropython else list(room.FINDERS)
        self.assertFalse(access.claim.reset)
        access.confirm()
        self.assertEqual([name for name in loaded() if name not in gone], [])

    def test_gone_after_a_registration(self):
        """What registers with a cloud goes as well; what the session needs stays."""
        try:
            from umqtt import simple
        except ImportError:
            self.skipTest("umqtt.simple is missing: run make test")
        socket = simple.socket
        for by in cloud.WAYS:
            board = cloud.Board(self.folder.path, cloud.Cloud(), simple)
            access = PointAccess(board, trust=TRUST)
            access.registration = cloud.registration(by)
            self.assertEqual(access.ensure(None, cloud.DATA), "00000")
            self.assertEqual(loaded() == [], bool(micropython))
            for name in ("mqttclient", "broker", "aliyun"):
                self.assertIn("point." + name, sys.modules)
            access.forget()
        simple.socket = socket

    def test_a_customers_server_needs_no_cloud(self):
        """A board that never registers does not load what does."""
        names = ["registration", "registerhttps", "registermqtt", "aliyun"]
        names += ["registergizwits", "registerauthkey", "registerclassic", "gizwits"]
        names += ["gizwitsform", "cloudsettings"]
        room.unload(names)
        stayed = [name for name in names if "point." + name in sys.modules]
        self.assertTrue(stayed == [] or not micropython)  # CPython lets none go
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        access.confirm()
        found = [name for name in names if "point." + name in sys.modules]
        self.assertEqual(found, stayed)

    def test_a_failure_lets_nothing_go(self):
        """What is going to be tried again stays."""
        self.server.script = [provisioning.lost]
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA, 1), "77777")
        for name in ("run", "exchange", "claim", "store"):
            self.assertIn(name, loaded())

    def test_a_whole_life(self):
        """All that an access can do it can do afterwards, any number of times."""
        access = self.boot()
        for number in range(1, 4):
            self.assertEqual(access.ensure(URL, DATA), "00000")
            access.confirm()
            access.confirm()
            self.assertEqual(access.claim.attempts, 0)
            access.rejected = True
            self.assertEqual(access.ensure(URL, DATA), "00000")
            self.assertEqual(len(self.server.issued), number * 2)
            access.rejected = True
            self.assertEqual(access.ensure(URL, DATA), "00000")
            self.assertEqual(access.source, "flash")
            again = self.boot()
            self.assertEqual(again.ensure(URL, DATA), "00000")
            self.assertEqual(again.device_config, access.device_config)
            access.forget()
            self.assertFalse(access.load())
            self.assertEqual(self.folder.names(), [])

    def test_errors_stay_the_same_class(self):
        """Whoever catches PointError catches those of a module that came back."""
        access = self.boot()
        access.ensure(URL, DATA)
        from point import strictjson, url

        with self.assertRaises(PointError):
            url.split("ftp://a/")
        with self.assertRaises(ValueError):
            strictjson.loads(b"{")
        self.server.script = [self.server.clear]
        access.claim.renew(self.server.ids()[-1])
        self.assertEqual(access.request(URL, DATA), "77777")
        self.assertEqual(access.error.name, "SEAL")

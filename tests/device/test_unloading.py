"""Unloading: modules that are let go, and come back when they are wanted."""

import sys
import unittest

import cloud
import fakes
import provisioning
from provisioning import DATA, KEY, TRUST, URL, Server

from point import compat
from point.access import PointAccess
from point.compat import micropython
from point.errors import PointError

# What a board holds when it begins to provision itself.
KEPT = {"point." + name for name in ("access", "compat", "errors")}
# Of what it loads then, some of what MQTT never needs, and what its session does.
FINDERS = ("claim", "credentials", "httpreply", "https", "protocol", "seal", "slot")
FINDERS += ("store", "strictjson", "url")


def loaded():
    """What this VM has in memory beyond that."""
    return sorted(compat.loaded() - KEPT)


class Unloading(unittest.TestCase):
    def setUp(self):
        compat.provisioning.unload()  # of other tests
        compat.unload(compat.loaded() - KEPT)
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

    def test_let_go(self):
        """On a board they are gone, and another import loads them anew."""
        from point import url
        from point.gizwits import frame

        compat.unload({"point.url", "point.gizwits.frame", "point.no_such_module"})
        self.assertEqual("point.url" in sys.modules, not micropython)
        self.assertEqual("point.gizwits.frame" in sys.modules, not micropython)
        from point import url as again
        from point.gizwits import frame as another

        self.assertEqual(again is url, not micropython)
        self.assertEqual(another is frame, not micropython)
        self.assertEqual(again.split("https://a/b"), url.split("https://a/b"))

    def test_a_whole_folder(self):
        """A folder that came with its modules goes with them."""
        names = {name for name in compat.loaded() if name.startswith("point.gizwits")}
        compat.unload(names)
        with compat.provisioning:
            from point.gizwits import form, login
        self.assertTrue({"point.gizwits", "point.gizwits.form"} <= compat.loaded())
        compat.provisioning.unload()
        self.assertEqual("point.gizwits" in sys.modules, not micropython)
        self.assertEqual("point.gizwits.form" in sys.modules, not micropython)
        from point.gizwits import form as again

        self.assertEqual(again is form, not micropython)
        self.assertEqual(login.bare("AA:BB"), "aabb")

    def test_what_was_there_before_stays(self):
        """Only what is loaded by `with` goes, also where one is in another."""
        from point import flow

        compat.unload({"point.url", "point.imei"})
        with compat.provisioning:
            with compat.provisioning:
                from point import url
            from point import flow as same
            from point import imei
        from point import strictjson

        compat.provisioning.unload()
        self.assertTrue(same is flow and "point.flow" in sys.modules)
        self.assertEqual(strictjson.loads(b"1"), 1)
        self.assertIn("point.strictjson", sys.modules)
        for name in ("point.url", "point.imei"):
            self.assertEqual(name in sys.modules, not micropython)
        self.assertTrue(url.split and imei.check)

    def test_a_failure_is_noted_too(self):
        """What was loaded before an exception is known."""
        compat.unload({"point.url"})
        with self.assertRaises(ValueError):
            with compat.provisioning:
                from point import url

                raise ValueError(url)
        compat.provisioning.unload()
        self.assertEqual("point.url" in sys.modules, not micropython)

    def test_gone_with_the_credentials(self):
        """Once they are there, and again once the broker took them."""
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertEqual(loaded() == [], bool(micropython))
        access.confirm()
        self.assertEqual(loaded() == [], bool(micropython))

    def test_what_was_asked_before_a_connection(self):
        """Whoever looks into the flash of a warm board does not keep it open."""
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        access.confirm()
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        self.assertFalse(access.claim.reset)
        from point import session  # as a program does before it connects

        for name in ("claim", "store", "session", "flow"):
            self.assertIn("point." + name, loaded())
        access.confirm()
        self.assertTrue(session.Session)
        for name in ("session", "flow", "mqttauth"):
            self.assertIn("point." + name, loaded())
        for name in FINDERS:
            self.assertEqual("point." + name in loaded(), not micropython, name)

    def test_gone_after_a_registration(self):
        """What registers with a cloud goes as well, with its folder."""
        try:
            from umqtt import simple
        except ImportError:
            self.skipTest("umqtt.simple is missing: run make test")
        socket = simple.socket
        for by in cloud.WAYS:
            board = cloud.Board(self.folder.path, cloud.Cloud(), simple)
            access = PointAccess(board, trust=TRUST)
            access.identity = cloud.registration(by)
            before = loaded()
            self.assertEqual(access.ensure(None, cloud.DATA), "00000")
            more = [name for name in loaded() if name not in before]
            self.assertTrue(more == [] or not micropython, more)
            self.assertEqual("point.aliyun.register" in loaded(), not micropython)
            access.forget()
        simple.socket = socket

    def test_a_customers_server_needs_no_cloud(self):
        """A board that never registers does not load what does."""
        stayed = self.clouds()
        self.assertTrue(stayed == [] or not micropython)  # CPython lets none go
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA), "00000")
        access.confirm()
        self.assertEqual(self.clouds(), stayed)

    def clouds(self):
        """What is in memory of the clouds' folders."""
        return [name for name in loaded() if "aliyun" in name or "gizwits" in name]

    def test_a_failure_lets_nothing_go(self):
        """What is going to be tried again stays."""
        self.server.script = [provisioning.lost]
        access = self.boot()
        self.assertEqual(access.ensure(URL, DATA, 1), "77777")
        for name in ("provision", "provision_exchange", "claim", "store"):
            self.assertIn("point." + name, loaded())

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

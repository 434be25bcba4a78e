"""What every board.py must hold, as firmware/template/board.py promises it.

Runs on the board's own runtime: tests/run.py tests/boards/contract.py, with the
environment's POINTACCESS_BOARD for the folder of board.py, and three ports on the
loopback: ECHO_PORT says back what it hears, SILENT_PORT says nothing, CLOSED_PORT is
nobody's.
"""
# ruff: noqa: PT009, PT027 - unittest, because boards run this

import os
import sys
import time
import unittest

sys.path.insert(0, os.getenv("POINTACCESS_BOARD"))

import board
from point.errors import PointError

HERE = "127.0.0.1"
METHODS = ("connect", "subscribe", "publish", "check", "ping", "disconnect", "close")


def port(name):
    return int(os.getenv(name))


def settings(number):
    return {
        "host": HERE,
        "port": number,
        "trust": None,
        "clientId": "id",
        "user": "user",
        "password": "word",
        "keepAlive": 60,
        "cleanSession": True,
        "received": lambda topic, message: None,
    }


class Contract(unittest.TestCase):
    def failed(self, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        return raised.exception.name

    def test_constants(self):
        """DIR is the flash's folder, VERIFIES says whether certificates are checked."""
        self.assertIsInstance(board.DIR, str)
        os.listdir(board.DIR)
        self.assertIn(board.VERIFIES, (True, False))

    def test_imei(self):
        """15 digits that check, the same each time, or PointError(IMEI)."""
        try:
            imei = board.imei()
        except PointError as error:
            self.assertEqual(error.name, "IMEI")
            return
        self.assertEqual(len(imei), 15)
        self.assertTrue(imei.isdigit())
        self.assertEqual(board.imei(), imei)

    def test_online(self):
        """Returns nothing, or raises PointError(OFFLINE) in time."""
        try:
            self.assertIsNone(board.online(1))
        except PointError as error:
            self.assertEqual(error.name, "OFFLINE")

    def test_random(self):
        """As many bytes as were asked for, and others each time."""
        for count in (0, 1, 2, 16, 257):
            found = board.random(count)
            self.assertIsInstance(found, bytes)
            self.assertEqual(len(found), count)
        seen = [board.random(16) for _ in range(20)]
        for number, found in enumerate(seen):
            self.assertNotIn(found, seen[:number])
        self.assertGreater(len(set(board.random(256))), 64)

    def test_now(self):
        """Unix seconds as a whole number, or None: never the year 2000."""
        found = board.now()
        if found is not None:
            self.assertIs(type(found), int)
            self.assertGreater(found, 1700000000)

    def test_network_time(self):
        """The same, as the network tells it; asking sets nothing."""
        found = board.network_time()
        if found is not None:
            self.assertIs(type(found), int)
            self.assertGreater(found, 1700000000)

    def test_set_clock(self):
        """It takes Unix seconds, and now() is not before them."""
        now = board.now() or 1800000000
        self.assertIsNone(board.set_clock(now))
        found = board.now()
        if found is not None:
            self.assertGreaterEqual(found, now)

    def test_claim_key(self):
        """32 bytes, the same each time, or PointError(SETTING)."""
        try:
            key = board.claim_key()
        except PointError as error:
            self.assertEqual(error.name, "SETTING")
            self.assertIn(os.getenv("CLAIM_KEY"), (None, "bad"))
            return
        self.assertIsInstance(key, bytes)
        self.assertEqual(len(key), 32)
        self.assertEqual(board.claim_key(), key)
        self.assertEqual(os.getenv("CLAIM_KEY"), "good")

    def test_flash_key(self):
        """None, or 32 bytes that are the same each time and not the claim key."""
        try:
            key = board.flash_key()
        except PointError as error:  # where it is made of the IMEI
            self.assertEqual(error.name, "IMEI")
            return
        if key is not None:
            self.assertIsInstance(key, bytes)
            self.assertEqual(len(key), 32)
            self.assertEqual(board.flash_key(), key)
            self.assertNotEqual(key, bytes(32))

    def test_feed(self):
        """Costs nothing and gives nothing, with or without a watchdog."""
        self.assertIsNone(board.feed())

    def test_connect(self):
        """A stream: what is written arrives, and what arrives can be read."""
        stream = board.connect(HERE, port("ECHO_PORT"), None, 5)
        try:
            stream.write(b"hello")
            self.assertEqual(stream.read(2), b"he")
            self.assertEqual(stream.read(3), b"llo")
            stream.within(0.3)
            self.assertEqual(self.failed(stream.read, 1), "TIMEOUT")
        finally:
            stream.close()

    def test_connect_fails(self):
        """Each way to fail has its number."""
        closed, mute = port("CLOSED_PORT"), port("SILENT_PORT")
        self.assertEqual(self.failed(board.connect, HERE, closed, None, 5), "CONNECT")
        self.assertEqual(self.failed(board.connect, "a..b", mute, None, 5), "DNS")
        trust = {"ca": None}
        self.assertEqual(self.failed(board.connect, HERE, mute, trust, 0.3), "TIMEOUT")
        self.assertEqual(self.failed(board.connect, HERE, mute, None, 0), "TIMEOUT")
        bad = {"ca": b"no certificate"}
        self.assertEqual(self.failed(board.connect, HERE, mute, bad, 5), "TLS")

    def test_mqtt(self):
        """A client that is not connected yet, with the methods that Session calls."""
        client = board.mqtt(settings(port("CLOSED_PORT")))
        for name in METHODS:
            self.assertTrue(callable(getattr(client, name)), name)
        self.assertEqual(self.failed(client.connect), "CONNECT")
        client.close()

    def test_mqtt_within(self):
        """A broker that says nothing is left when the settings' time is over."""
        given = settings(port("SILENT_PORT"))
        given["withinS"] = 0.3
        client = board.mqtt(given)
        begun = time.time()
        self.assertEqual(self.failed(client.connect), "TIMEOUT")
        self.assertLess(time.time() - begun, 4)
        client.close()

    def test_mqtt_with_something_else(self):
        """A server that is no broker is PointError(BROKER_LOST)."""
        client = board.mqtt(settings(port("ECHO_PORT")))
        self.assertEqual(self.failed(client.connect), "BROKER_LOST")
        client.close()

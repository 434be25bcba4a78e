"""The faults of QuecPython's firmware: each exists, and our adapter handles it.

Runs like contract.py, with the shims of old or new firmware. Tests change
vm.SCRIPT.
"""
# ruff: noqa: E402, PT009, PT027, SIM105, UP031 - unittest and device dialect: boards run this

import os
import sys
import unittest

sys.path[:0] = os.getenv("BOARD_PATH").split(":")

if os.getenv("PRELUDE"):
    __import__(os.getenv("PRELUDE"))

import board

board.DIR = os.getenv("FLASH")

import dataCall
import net
import quecapn
import quecclock
import queckey
import quecoptions
import quecrandom
import quectls
import request
import umqtt
import usocket
import ussl
import utime
import vm
from age import OLD
from quecmqtt import Client

from point import requests_post
from point.errors import PointError

HERE = "127.0.0.1"
VM = sys.implementation.name == "micropython"


def port(name):
    return int(os.getenv(name))


class Case(unittest.TestCase):
    def setUp(self):
        self.wishes = dict(vm.SCRIPT)
        vm.EVENTS[:] = []

    def tearDown(self):
        vm.SCRIPT.update(self.wishes)
        board._parts = None
        for name in ("board.json", "claim.key"):
            try:
                os.remove(board.DIR + "/" + name)
            except OSError:
                pass

    def write(self, name, text):
        with open(board.DIR + "/" + name, "w") as file:
            file.write(text)

    def failed(self, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        return raised.exception.name


class Names(Case):
    def test_plain_names(self):
        """Old firmware has json as ujson only, and the same for all modules."""
        if not VM:
            self.skipTest("CPython's own library needs them")
        plain = ("json", "os", "time", "socket", "ssl", "binascii", "random")
        for name in plain:
            if OLD:
                self.assertRaises(ImportError, __import__, name)
            elif name != "ssl":
                __import__(name)
        if OLD:
            for name in ("sys", "tls"):
                self.assertEqual(hasattr(__import__(name), "__name__"), False)

    def test_urandom(self):
        """Newer firmware has no urandom; our bytes do not repeat, in any length."""
        if not VM:
            self.skipTest("CPython has it, and no gc.mem_free()")
        import uos

        self.assertIs(hasattr(uos, "urandom"), OLD)
        seen = set()
        for count in (1, 16, 33):
            found = quecrandom.random(count, lambda: b"secret")
            self.assertEqual(len(found), count)
            seen.add(found)
        first = quecrandom.random(16, None)
        quecrandom._pool = None  # another boot
        self.assertNotEqual(quecrandom.random(16, lambda: b"secret"), first)


class Sockets(Case):
    def test_names_that_do_not_resolve(self):
        """An unknown name gives an empty list, and so IndexError for its first item."""
        self.assertEqual(usocket.getaddrinfo("a..b", 1), [])
        self.assertRaises(IndexError, request.post, "http://a..b:1/")
        self.assertEqual(self.failed(board.connect, "a..b", 1, None, 5), "DNS")
        server = requests_post.RequestsClient(request.post, "http://a..b:1/")
        self.assertEqual(self.failed(server.post, {}), "CLOSED")

    def test_refused_connection(self):
        """A refused connection looks like a success while a timeout is set."""
        sock = usocket.socket()
        sock.settimeout(5)
        sock.connect((HERE, port("CLOSED_PORT")))
        self.assertRaises(OSError, sock.send, b"x")
        sock.close()
        for lwip in (True, False):
            vm.SCRIPT["states"] = lwip
            refused = self.failed(board.connect, HERE, port("CLOSED_PORT"), None, 5)
            self.assertEqual(refused, "CONNECT")
            stream = board.connect(HERE, port("BYE_PORT"), None, 5)
            self.assertEqual(stream.read(5) + stream.read(5), b"bye")
            stream.close()

    def test_end(self):
        """Old firmware reports a closed connection as ENOTCONN, then as garbage."""
        sock = usocket.socket()
        sock.settimeout(5)
        sock.connect((HERE, port("BYE_PORT")))
        self.assertEqual(sock.recv(3), b"bye")
        if OLD:
            self.assertRaises(OSError, sock.recv, 1)
        else:
            self.assertEqual(sock.recv(1), b"")
        self.assertRaises(OSError, sock.recv, 1)
        sock.close()
        stream = board.connect(HERE, port("BYE_PORT"), None, 5)
        self.assertEqual(stream.read(9) + stream.read(9) + stream.read(9), b"bye")
        stream.close()

    def test_long_waits(self):
        """Timeouts are rounded down; ours are split into steps that are not."""
        stream = board.connect(HERE, port("SILENT_PORT"), None, 30)
        asked = []

        class Sock:
            def settimeout(self, seconds):
                asked.append(seconds)

            def recv(self, count):
                if len(asked) < 3:
                    raise OSError(110)
                return b"x"

        real, stream._sock._sock = stream._sock._sock, Sock()
        self.assertEqual(stream.read(1), b"x")
        self.assertEqual(asked, [5, 5, 5])
        real.close()


class Tls(Case):
    def test_ca(self):
        """Old ussl does not accept `ca`, which is tested without a connection."""
        self.assertIs(quectls.takes_ca(), not OLD)
        if OLD:
            self.assertRaises(TypeError, ussl.wrap_socket, None, ca="")
        else:
            self.assertRaises(OSError, ussl.wrap_socket, None, ca="")
        self.assertRaises(OSError, ussl.wrap_socket, None)

    def test_ca_that_is_none(self):
        with open(os.getenv("CA"), "rb") as file:
            der = file.read()
        for ca in (b"", b"-----BEGIN", der[:60]):
            if OLD and ca:  # what nobody looks at
                continue
            trust = {"ca": ca}
            found = self.failed(board.connect, HERE, port("TLS_PORT"), trust, 5)
            self.assertEqual(found, "TLS")

    def test_nobody_is_verified(self):
        """By default no server is verified; but a wrong one gets no password."""
        sock = usocket.socket()
        sock.settimeout(5)
        sock.connect((HERE, port("STRANGER_PORT")))
        ussl.wrap_socket(sock, server_hostname="example.org").close()
        sock.close()
        with open(os.getenv("CA"), "rb") as file:
            trust = {"ca": file.read()}
        arguments = HERE, port("STRANGER_PORT"), trust, 5
        found = self.failed(quectls.connect_verified, *arguments)
        self.assertEqual(found, "UNVERIFIED" if OLD else "TLS")

    def test_clear_text(self):
        """After a failed handshake, old request sends clear text; ours does not.

        The server records what it receives: see test_quecpython.py.
        """
        url = "https://%s:%d/clear" % (HERE, port("PLAIN_PORT"))
        post = request.post
        if OLD:
            response = post(url, json={"deviceSecret": "in-clear"}, timeout=5)
            self.assertEqual(response.status_code, 200)
            response.close()
        else:
            self.assertRaises(RuntimeError, post, url, None, {"a": 1}, {}, 5)
        stranger = HERE, port("PLAIN_PORT"), {}, 5
        self.assertEqual(self.failed(board.connect, *stranger), "TLS")

    def test_bodies(self):
        """JSON of old firmware: generators, and None if there is none."""
        url = "http://%s:%d/" % (HERE, port("PLAIN_PORT"))
        response = request.post(url, json={}, timeout=5)
        self.assertFalse(isinstance(response.content, (bytes, str)))
        response.close()
        server = requests_post.RequestsClient(
            lambda url, json, headers: request.post(url, None, json, headers, 5), url
        )
        self.assertEqual(server.post({}), (200, b'{"code":"40001"}'))


class Broker:
    """A stream to a broker that answers each packet as scripted."""

    def __init__(self, answers):
        self.answers = answers
        self.incoming = b""
        self.sent = []
        self.waits = True

    def within(self, timeout_s):
        pass

    def write(self, data):
        self.sent.append(bytes(data))
        self.incoming += self.answers.get(data[0] >> 4, b"")

    def read(self, count):
        if not self.incoming:
            if self.waits:
                raise PointError(12, "deadline passed")
            return None
        data, self.incoming = self.incoming[:count], self.incoming[count:]
        return data

    def close(self):
        pass


CONNACK = {1: b"\x20\2\0\0"}


class Mqtt(Case):
    def client(self, answers=CONNACK, **more):
        given = {
            "host": "h",
            "port": 1,
            "trust": None,
            "clientId": "id",
            "user": "user",
            "password": "word",
            "keepAlive": 300,
            "cleanSession": 2,  # some servers say that
            "received": lambda *message: self.came.append(message),
        }
        given.update(more)
        self.came = []
        self.broker = Broker(answers)
        return Client(umqtt, lambda *where: self.broker, given)

    def test_one_error_for_all(self):
        """A refusal is raised as a ValueError about parameters."""
        umqtt.socket = usocket
        raw = umqtt.MQTTClient("id-4", HERE, port("ODD_BROKER_PORT"))
        with self.assertRaises(ValueError) as raised:
            raw.connect()
        self.assertIn("Error='4' Server Actively FIN", str(raised.exception))
        raw.disconnect()
        for code in (4, 5):
            client = self.client({1: b"\x20\2\0" + bytes((code,))})
            self.assertEqual(self.failed(client.connect), "BROKER_REFUSED")
            client.close()

    def test_connect(self):
        """The broker gets the keep-alive, but umqtt does not: it would ping, too."""
        self.assertRaises(ValueError, umqtt.MQTTClient, "id", HERE, keepalive=4)
        client = self.client(clientId="ü", will={"topic": "t", "message": "ö"})
        client.connect()
        self.assertEqual(client._client.keepalive, 0)
        self.assertIs(client._client.reconn, False)
        text = b"\0\2\xc3\xbc\0\1t\0\2\xc3\xb6\0\4user\0\4word"
        expected = b"\x10" + bytes((10 + len(text),)) + b"\0\4MQTT\4\xce\x01\x2c" + text
        self.assertEqual(self.broker.sent, [expected])
        client.close()

    def test_long_names(self):
        """The head of a packet may have three bytes."""
        client = self.client(password="p" * 200)
        client.connect()
        self.assertEqual(self.broker.sent[0][11:13], b"\x01\x2c")
        client.close()

    def test_publish_tells_nothing(self):
        """Old firmware returns None with and without success; ours raises."""
        client = self.client()
        client.connect()
        self.assertIsNone(client.publish("topic", b"message", 0))
        self.assertEqual(self.failed(client.publish, "topic", b"x", 1), "TIMEOUT")
        raw = client._client
        self.assertEqual(raw.publish("topic", b"x"), None if OLD else True)

        def gone(*data):
            raise OSError(104)

        raw.sock = type("Gone", (), {})()
        raw.sock.write = gone
        self.assertEqual(raw.publish("topic", b"x"), None if OLD else False)
        self.assertEqual(self.failed(client.publish, "t", b"x", 0), "BROKER_LOST")
        client.close()

    def test_message_before_suback(self):
        """A message ends the wait for SUBACK on old firmware; ours finds both."""
        between = b"\x30\5\0\1thi" + b"\x90\3\0\1\x80"
        client = self.client({1: CONNACK[1], 8: between})
        client.connect()
        self.assertEqual(self.failed(client.subscribe, "t", 1), "BROKER_DENIED")
        self.assertEqual(self.came, [(b"t", b"hi")])
        client.close()

    def test_acknowledged_by_us(self):
        """A QoS 1 message is acknowledged after delivery, without a thread."""
        seen = []

        def received(topic, message):
            seen.append((bytes(message), len(self.broker.sent)))

        client = self.client(received=received)
        client.connect()
        self.broker.incoming += b"\x32\7\0\1t\x12\x34hi" + b"\xd0\0"
        self.assertTrue(client.check())
        self.assertEqual(seen, [(b"hi", 1)])
        self.assertEqual(self.broker.sent[1:], [b"\x40\2\x12\x34"])
        self.assertTrue(client.check())
        self.assertFalse(client.check())
        client.close()

    def test_not_mqtt(self):
        """A malformed packet ends the connection, not the program."""
        endless = b"\x30" + b"\xff" * 5
        for junk in (b"\x30\1x", b"\x32\5\0\3abc", b"\x30\0", endless):
            client = self.client()
            client.connect()
            self.broker.incoming += junk
            self.assertIn(self.failed(client.check), ("BROKER_LOST", "TIMEOUT"))
            client.close()

    def test_locks(self):
        """Locks of the system, which only disconnect() frees: none is left."""
        umqtt.locks[:] = []
        for leave in ("close", "disconnect"):
            client = self.client()
            client.connect()
            self.assertEqual(len(umqtt.locks), 1)
            getattr(client, leave)()
            client.close()
            self.assertEqual(umqtt.locks, [])
        client = self.client({1: b"\x20\2\0\5"})
        self.failed(client.connect)
        client.close()
        self.assertEqual(umqtt.locks, [])
        self.client().close()

    def test_another_umqtt(self):
        """A umqtt with its own sockets would not be verified, so it is not used."""

        class Other:
            MQTTClient = umqtt.MQTTClient

        given = {"received": None}
        for library in (Other, None):
            self.assertEqual(self.failed(Client, library, None, given), "LACKING")

    def test_out_of_memory(self):
        """umqtt would make it a ValueError, or hide it."""

        def none(*where):
            raise MemoryError

        client = self.client()
        client._socket._connect = none
        self.assertEqual(self.failed(client.connect), "NO_MEMORY")
        client.close()


class Clock(Case):
    def test_zone(self):
        """utime.mktime(utime.localtime()) is right in China only."""
        for zone, rtc in ((8, "local"), (0, "local"), (-5, "local"), (3, "utc")):
            vm.SCRIPT.update({"zone": zone, "rtc": rtc})
            board.set_clock(1800000000)
            found = board.now()
            self.assertTrue(0 <= found - 1800000000 < 5, (zone, rtc, found))
            trap = utime.mktime(utime.localtime()) - found
            self.assertEqual(trap // 3600, zone - 8)
            self.assertTrue(0 <= utime.time() - 1800000000 < 5)

    def test_never_set(self):
        """The year 2000 is treated as no time."""
        utime.set_unix(946684800)
        self.assertIsNone(board.now())
        board.set_clock(1893456000)  # 2030-01-01
        self.assertTrue(0 <= board.now() - 1893456000 < 5)
        board.set_clock(1835740800 - 1)  # the end of a February 29
        self.assertTrue(0 <= board.now() - 1835740799 < 5)

    def test_zone_that_nobody_knows(self):
        """Firmware without a time zone is at UTC+8, as its mktime is."""
        known = utime.getTimeZone
        try:
            utime.getTimeZone = lambda: 99
            self.assertEqual(quecclock._zone_s(), 0)
            del utime.getTimeZone
        except AttributeError:
            pass  # the VM's stand-in keeps its names
        finally:
            utime.getTimeZone = known

    def test_network_time(self):
        """-1 if the network never sent the time."""
        self.assertEqual(net.nitzTime(), -1)
        self.assertIsNone(board.network_time())
        vm.SCRIPT["nitz"] = 1800000000
        self.assertEqual(board.network_time(), 1800000000)
        vm.SCRIPT["nitz"] = 12
        self.assertIsNone(board.network_time())


class Network(Case):
    def test_no_call(self):
        """getInfo() is -1 on old firmware and zeros on new; online() handles both."""
        vm.SCRIPT["call"] = 0
        info = dataCall.getInfo(1, 0)
        if OLD:
            self.assertEqual(info, -1)
        else:
            self.assertEqual(info[2][0], 0)
        self.assertEqual(self.failed(board.online, 0.3), "OFFLINE")

    def test_no_card(self):
        """Old checkNet returns at once: ours waits, and never restarts for that."""
        vm.SCRIPT.update({"sim": 0, "network": None, "call": 0})
        for _ in range(7):
            begun = utime.ticks_ms()
            self.assertEqual(self.failed(board.online, 0.3), "OFFLINE")
            took = utime.ticks_diff(utime.ticks_ms(), begun)
            self.assertGreaterEqual(took, 300)
        self.assertNotIn("powerRestart", vm.EVENTS)

    def test_redial(self):
        """Registered, but without a data call."""
        vm.SCRIPT.update({"call": 0, "cured": "dial"})
        self.assertEqual(self.failed(board.online, 0.3), "OFFLINE")
        self.assertIsNone(board.online(0.3))
        self.assertEqual(vm.EVENTS[0][:6], "dial 1")

    def test_radio(self):
        """After three failures in a row the radio is switched off and on."""
        vm.SCRIPT.update({"network": None, "call": 0, "cured": "radio"})
        for _ in range(3):
            self.failed(board.online, 0.3)
        self.assertEqual(vm.EVENTS, ["setModemFun 0", "setModemFun 1"])
        self.assertIsNone(board.online(0.3))

    def test_restart(self):
        """After six failures in a row the module restarts."""
        vm.SCRIPT.update({"network": 3, "call": 0})
        for _ in range(5):
            self.failed(board.online, 0.3)
        self.assertRaises(SystemExit, board.online, 0.3)
        self.assertEqual(vm.EVENTS[-1], "powerRestart")

    def test_deaf(self):
        """A data call without data: after six failures the radio is switched."""
        for _ in range(6):
            board.online(1)
            self.assertEqual(vm.EVENTS, [])
            self.failed(board.connect, "a..b", 1, None, 5)
        board.online(1)
        self.assertEqual(vm.EVENTS, ["setModemFun 0", "setModemFun 1"])
        board.online(1)
        board._parts.cellular._unheard = 5
        self.failed(board.connect, HERE, port("ECHO_PORT"), {}, 5)  # somebody is there
        board.online(1)
        self.assertEqual(len(vm.EVENTS), 2)

    def test_any_failure_is_a_point_error(self):
        """Every exception of the modem becomes OFFLINE."""

        def broken(*arguments):
            raise TypeError("can't convert")

        real, dataCall.getInfo = dataCall.getInfo, broken
        try:
            self.assertEqual(self.failed(board.online, 0.3), "OFFLINE")
        finally:
            dataCall.getInfo = real

    def test_apn(self):
        """It is set once, and the module stores it."""
        self.write("board.json", '{"apn": "iot", "user": "u", "password": "p"}')
        board.online(1)
        board.online(1)
        self.assertEqual(vm.EVENTS[:1], ["apn 1 iot u p"])
        self.assertEqual(len([e for e in vm.EVENTS if e[:3] == "apn"]), 1)
        if not OLD:
            board._parts = None
            board.online(1)
            self.assertEqual(len([e for e in vm.EVENTS if e[:3] == "apn"]), 1)

    def test_apn_kept(self):
        """An APN that setApn() has stored is not written again."""
        kept = board.DIR + "/board.json"
        self.write(
            "board.json",
            '{"pdp": "1", "iptype": "0", "apn": "a", "user": "", "password": "", '
            '"authtype": "0"}',
        )
        self.assertEqual(quecapn._kept(kept), ("1", "a", "", "", "0"))
        self.assertIsNone(quecapn._kept(board.DIR + "/none.json"))

    def test_apn_refused(self):
        self.write("board.json", '{"apn": "refused"}')
        vm.SCRIPT["apnFails"] = True
        self.assertEqual(self.failed(board.online, 1), "SETTING")


class Setup(Case):
    def test_board_json(self):
        """Unknown and wrong keys are named."""
        for text, words in (
            ("[]", "not an object"),
            ("{", "not JSON"),
            ('{"nope": 1}', "unknown setting nope"),
            ('{"auth": "md5"}', "auth is not one of"),
            ('{"auth": "pap"}', "auth needs"),
            ('{"user": "u"}', "user needs"),
            ('{"user": "uuuuuuuuuuuuuuuu", "apn": "a"}', "user"),
            ('{"pdp": 8}', "pdp"),
            ('{"pdp": true}', "pdp"),
            ('{"watchdogS": 5}', "watchdogS"),
            ('{"slot": 16}', "slot"),
        ):
            self.write("board.json", text)
            with self.assertRaises(PointError) as raised:
                quecoptions.read(board.DIR)
            self.assertEqual(raised.exception.name, "SETTING")
            self.assertIn("board.json: ", raised.exception.detail)
            self.assertIn(words, raised.exception.detail)

    def test_none(self):
        """A board needs no board.json."""
        options = quecoptions.read(board.DIR)
        self.assertEqual(options["pdp"], 1)
        self.assertEqual(options["claimKey"], "file")

    def test_watchdog(self):
        """It counts in seconds, and runs only if it is configured."""
        board.feed()
        self.assertEqual(vm.EVENTS, [])
        self.write("board.json", '{"watchdogS": 120}')
        board._parts = None
        board.feed()
        board.feed()
        self.assertEqual(vm.EVENTS, ["WDT 120", "feed", "feed"])

    def test_watchdog_that_there_is_not(self):
        """The call returns False in place of an object."""
        self.write("board.json", '{"watchdogS": 120}')
        vm.SCRIPT["watchdog"] = False
        board._parts = None
        self.assertIsNone(board.feed())
        self.assertEqual(vm.EVENTS, ["WDT 120"])


class Key(Case):
    def setUp(self):
        Case.setUp(self)
        self.slots = board.DIR + "/secure.bin"
        vm.SCRIPT["secureData"] = self.slots
        self.write("board.json", '{"claimKey": "securedata", "slot": 3}')

    def tearDown(self):
        Case.tearDown(self)
        try:
            os.remove(self.slots)
        except OSError:
            pass

    def test_moved(self):
        """The key moves from the file to SecureData, and stays there."""
        self.assertEqual(self.failed(board.claim_key), "SETTING")
        self.write("claim.key", "ab" * 32)
        for _ in range(2):
            self.assertEqual(board.claim_key(), b"\xab" * 32)
            self.assertNotIn("claim.key", os.listdir(board.DIR))
        self.write("claim.key", "cd" * 32)  # the factory was there again
        self.assertEqual(board.claim_key(), b"\xcd" * 32)

    def test_bad_file(self):
        """An unreadable file does not prevent the use of a stored key."""
        self.write("claim.key", "ab" * 32)
        board.claim_key()
        self.write("claim.key", "half")
        self.assertEqual(board.claim_key(), b"\xab" * 32)

    def test_not_kept(self):
        """The file stays if SecureData does not take the key."""
        vm.SCRIPT["secureDataFails"] = True
        self.write("claim.key", "ab" * 32)
        self.assertEqual(self.failed(board.claim_key), "SETTING")
        self.assertIn("claim.key", os.listdir(board.DIR))

    def test_without(self):
        """Without SecureData, the key stays in claim.key."""
        real, queckey._module = queckey._module, lambda: None
        try:
            self.write("claim.key", "ab" * 32)
            self.assertEqual(board.claim_key(), b"\xab" * 32)
            self.assertIn("claim.key", os.listdir(board.DIR))
        finally:
            queckey._module = real

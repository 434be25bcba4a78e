"""firmware/esp32 over its scripted modem: what goes well, and what is done when not.

Runs on the board's runtime, as contract.py does. Time passes when somebody waits, and
only then: no test waits for it.
"""
# ruff: noqa: E402, PT009, PT027, UP031 - unittest and device dialect

import json
import os
import sys
import unittest

sys.path[:0] = os.getenv("BOARD_PATH").split(":")

from point import compat


class Clock:
    """Replaces the time in compat, which all code here uses."""

    now = 1000

    @classmethod
    def sleep_ms(cls, ms):
        cls.now += ms


compat.ticks_ms = lambda: Clock.now
compat.sleep_ms = Clock.sleep_ms

import machine
import network
import ppp
import scripted
from cellular import Cellular
from wifi import Wifi

import board
from point.errors import PointError

# A waiting thread would let time pass for all threads.
pump, ppp.Ppp._pump = ppp.Ppp._pump, lambda link: None

IMEI = os.getenv("POINTACCESS_IMEI")
OTHER = "356938035643809"
WIRED = {"uart": 1, "tx": 17, "rx": 16, "baud": 115200, "auth": "none", "high": ()}
KEY = {"powerKey": 4, "powerKeyLevel": 1, "powerKeyMs": 1000}
KINDS = ("sim7600", "a7670", "ec25")
NEVER = 1000  # answers, more than any test asks for


class Case(unittest.TestCase):
    def setUp(self):
        self.fed = 0
        self.heard = None
        self.play()

    def tearDown(self):
        machine.UART.ppp = machine._watchdog = network._wlan = None

    def feed(self):
        self.fed += 1

    def note(self, unix_s):
        self.heard = unix_s

    def play(self, **script):
        """Make another modem, as after a loss of its power."""
        machine._script.update(scripted.DEFAULTS)
        machine._script.update(script)
        machine.UART.ppp = network._New._latest = None
        self.modem = machine.modem = scripted.Scripted(machine._script)

    def cellular(self, wired=None, **script):
        """Make the board's side; the modem's is self.modem."""
        self.play(**script)
        settings = dict(WIRED)
        settings.update(wired or {})
        return Cellular(settings, self.feed, self.note)

    def failed(self, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        return raised.exception

    def offline(self, cellular, timeout_s=30):
        """Return the error of going online."""
        error = self.failed(cellular.up, timeout_s)
        self.assertEqual(error.name, "OFFLINE")
        return error.detail

    def asked(self, command):
        """Return how often the modem received this."""
        return len([line for line in self.modem.log if line == command])


class Ways(Case):
    """Normal operation."""

    def test_each_modem_and_api(self):
        """The IMEI is read before PPP uses the line, and remembered."""
        for api in ("new", "old"):
            for kind in KINDS:
                with self.subTest(kind, api=api):
                    cellular = self.cellular(kind=kind, api=api)
                    self.assertEqual(cellular.imei(), IMEI)
                    cellular.up(60)
                    self.assertEqual(self.modem.state, "data")
                    self.assertTrue(network.up())
                    self.assertEqual(self.modem.log[-1], "ATD*99#")
                    self.assertEqual(cellular.imei(), IMEI)
                    cellular.up(60)
                    self.assertEqual(self.asked("ATD*99#"), 1)

    def test_bytes_as_they_come(self):
        """Noise, notices and lines in pieces change nothing."""
        notices = ["RDY", "+QIND: SMS DONE", "+CREG: 2", "PB DONE"]
        for chunk in (0, 1, 3):
            noise = {"garbage": "00ff807f", "notices": notices, "chunk": chunk}
            cellular = self.cellular(**noise)
            self.assertEqual(cellular.imei(), IMEI)
            cellular.up(60)

    def test_late_answer(self):
        """A late answer to an earlier command is not the answer to this one."""
        cellular = self.cellular()
        cellular.imei()
        for late in (b"\r\nERROR\r\n", b"\r\n+CME ERROR: 3\r\n", b"\r\nOK\r\n"):
            self.modem._out.extend(late)
            cellular._modem.within(10)
            self.assertEqual(cellular._modem.ask("AT+CPIN?"), ["READY"])

    def test_imei_of_the_other_command(self):
        """AT+GSN is used if AT+CGSN fails, is cut short, or gives a wrong number."""
        wrong = IMEI[:14] + str((int(IMEI[14]) + 1) % 10)
        for answer in ("ERROR", "+CME ERROR: 3", IMEI[:9] + "\r\nOK", wrong + "\r\nOK"):
            cellular = self.cellular(answers={"AT+CGSN": ["\r\n%s\r\n" % answer]})
            self.assertEqual(cellular.imei(), IMEI)
            self.assertEqual(self.modem.log[-1], "AT+GSN")

    def test_imei_is_the_modems(self):
        """A board with another modem has another IMEI."""
        self.assertEqual(self.cellular(imei=OTHER).imei(), OTHER)

    def test_sim(self):
        """A SIM may need time, and its PIN."""
        self.cellular(simBusy=3).up(60)
        cellular = self.cellular({"simPin": "1234"}, sim="SIM PIN")
        cellular.up(60)
        self.assertEqual(self.asked('AT+CPIN="1234"'), 1)

    def test_registration(self):
        """At home or roaming, after a search, by any of the commands."""
        self.cellular(registration=[0, 2, 2, 1]).up(60)
        self.cellular(registration=[2, 5]).up(60)
        self.cellular(registration=[3, 3, 1]).up(60)
        for command in ("AT+CEREG?", "AT+CGREG?", "AT+CREG?"):
            self.cellular(registers=[command], registration=[2, 1]).up(60)

    def test_apn_and_login(self):
        """The carrier's values are used with both APIs."""
        login = {"auth": "pap", "user": "me", "password": "word", "apn": "iot.net"}
        for api in ("new", "old"):
            wanted = {"apn": "iot.net", "user": "me", "password": "word"}
            for auth in ("pap", "chap"):
                login["auth"], wanted["auth"] = auth, auth.upper()
                self.cellular(login, api=api, **wanted).up(60)
        self.assertEqual(self.asked('AT+CGDCONT=1,"IP","iot.net"'), 1)

    def test_other_way_to_dial(self):
        """AT+CGDATA is used if ATD*99# is refused."""
        cellular = self.cellular(answers={"ATD*99#": ["\r\nERROR\r\n"]})
        cellular.up(60)
        self.assertEqual(self.modem.log[-1], 'AT+CGDATA="PPP",1')

    def test_time(self):
        """The network's time in UTC, whether CTZU is 1 or 3."""
        for kind in KINDS:
            self.cellular(kind=kind, clock="26/11/22,16:30:12+32").up(60)
            self.assertEqual(self.heard, 1795336212)
            self.assertTrue(self.modem._local)
            self.cellular(kind=kind).up(60)
            self.assertIsNone(self.heard)


class Faults(Case):
    """Faults, and how the adapter recovers."""

    def test_no_modem(self):
        """Without an answer it fails in time, and feeds the watchdog."""
        cellular = self.cellular(state="dead")
        begun = compat.ticks_ms()
        self.assertIn("no answer", self.offline(cellular, 5))
        self.assertLess(compat.ticks_diff(compat.ticks_ms(), begun), 20000)
        error = self.failed(cellular.imei)
        self.assertEqual(error.name, "IMEI")
        self.assertIn("no answer", error.detail)
        self.assertGreater(self.fed, 50)

    def test_no_time(self):
        """Even a short timeout is kept, except for the silence around +++."""
        for timeout_s in (0, 1, 3, 4, 8):
            cellular = self.cellular(KEY, state="dead")
            begun = Clock.now
            self.assertIn("no answer", self.offline(cellular, timeout_s))
            self.assertLess(Clock.now - begun, timeout_s * 1000 + 2500)
        self.assertIn("no answer", self.offline(self.cellular(), 0))

    def test_no_imei(self):
        """A modem without an IMEI, or with a wrong one."""
        for imei in ("0" * 15, "12345", IMEI[:14] + "x"):
            error = self.failed(self.cellular(imei=imei).imei)
            self.assertEqual(error.name, "IMEI")

    def test_switched_off(self):
        """The power key switches it on, and it gets time to boot."""
        for kind in KINDS:
            cellular = self.cellular(KEY, kind=kind, state="off", powerKey=4)
            self.assertEqual(cellular.imei(), IMEI)
        supplied = dict(KEY)
        for high in ([12], []):
            supplied["high"] = high
            cellular = self.cellular(supplied, state="off", powerKey=4, supply=12)
            if high:
                self.assertEqual(cellular.imei(), IMEI)
            else:
                self.assertEqual(self.failed(cellular.imei).name, "IMEI")

    def test_power_key_that_is_low(self):
        """The level of the power key is the configured one."""
        seen = []
        pin = machine.Pin

        class Pin(pin):
            def value(self, x=None):
                seen.append(x)

        wired = dict(KEY)
        for level in (0, 1):
            wired["powerKeyLevel"] = level
            cellular = self.cellular(wired, state="dead")
            machine.Pin = Pin
            try:
                self.offline(cellular, 15)
            finally:
                machine.Pin = pin
            self.assertEqual(seen[:3], [1 - level, level, 1 - level])
            del seen[:]

    def test_hung(self):
        """A modem that is on but mute is switched off and on."""
        cellular = self.cellular(KEY, state="dead", powerKey=4)
        self.assertEqual(cellular.imei(), IMEI)

    def test_still_in_a_connection(self):
        """After a reset of the chip alone, the modem is still in data mode."""
        for kind in KINDS:
            cellular = self.cellular(kind=kind, state="data")
            self.assertEqual(cellular.imei(), IMEI)
            self.assertEqual(self.asked("ATH"), 1)
            cellular.up(60)

    def test_echo_that_stays(self):
        """A modem that echoes works, too."""
        cellular = self.cellular(answers={"ATE0": ["\r\nOK\r\n"] * NEVER})
        self.assertEqual(cellular.imei(), IMEI)
        cellular.up(60)

    def test_no_sim(self):
        """A missing SIM is reported by number, as modems do."""
        self.assertEqual(
            self.offline(self.cellular(sim="absent")), "AT+CPIN: CME ERROR: 10"
        )

    def test_sim_pin(self):
        """A wrong PIN is tried only once: three attempts would lock the SIM."""
        cellular = self.cellular({"simPin": "9876"}, sim="SIM PIN")
        self.assertEqual(self.offline(cellular), "AT+CPIN: CME ERROR: 16")
        for _ in range(10):
            self.assertEqual(self.offline(cellular), "the SIM wants its PIN")
        self.assertEqual(self.asked('AT+CPIN="9876"'), 1)
        for state in ("SIM PIN", "SIM PUK"):
            found = self.offline(self.cellular(sim=state))
            self.assertEqual(found, "the SIM wants its " + state[4:])

    def test_not_registered(self):
        """A missing network and a refusing network give different errors."""
        found = self.offline(self.cellular(registration=[2]), 5)
        self.assertEqual(found, "registration: none")
        found = self.offline(self.cellular(registration=[3]), 5)
        self.assertEqual(found, "registration: denied")

    def test_wrong_apn_and_login(self):
        """The network's error is passed on, without the password."""
        cellular = self.cellular({"apn": "other"}, apn="iot.net")
        self.assertEqual(self.offline(cellular), "AT+CGDATA: NO CARRIER")
        login = {"auth": "chap", "user": "me", "password": "hidden"}
        for api in ("new", "old"):
            cellular = self.cellular(login, auth="PAP", user="me", api=api)
            self.assertEqual(self.offline(cellular, 15), "PPP does not come up")

    def test_hang_up(self):
        """When the network ends it, it dials again with a new PPP object."""
        for api in ("new", "old"):
            for kind in KINDS:
                cellular = self.cellular(kind=kind, api=api)
                cellular.up(60)
                before = cellular._ppp
                self.modem.hang_up()
                self.assertFalse(network.up())
                cellular.up(60)
                self.assertTrue(network.up())
                self.assertIsNot(cellular._ppp, before)

    def test_names_under_ppp(self):
        """A thread reads the UART while a name is resolved, and ends with PPP."""
        cellular = self.cellular()
        cellular.up(60)
        self.assertFalse(network.resolves())
        link = cellular._ppp
        before, sleep_ms = network._pumped[0], ppp.sleep_ms
        seen = []

        def slept(ms):
            seen.append(network._pumped[0] - before)
            if len(seen) == 3:
                link.close()

        ppp.sleep_ms = slept
        try:
            pump(link)
        finally:
            ppp.sleep_ms = sleep_ms
        self.assertEqual(seen, [1, 2, 3])

    def test_ppp_fails_once(self):
        """A failed PPP object is not used again; the modem leaves data mode."""
        for api in ("new", "old"):
            cellular = self.cellular(api=api, refusesPpp=1)
            self.assertEqual(self.offline(cellular, 10), "PPP does not come up")
            cellular.up(60)
            self.assertTrue(network.up())

    def test_dead_line_that_looks_alive(self):
        """After three failed connections, PPP is dialled again."""
        for api in ("new", "old"):
            cellular = self.cellular(api=api)
            cellular.up(60)
            cellular.failures = 2
            cellular.up(60)
            self.assertEqual(self.asked("ATD*99#"), 1)
            cellular.failures = 3
            cellular.up(60)
            self.assertEqual(self.asked("ATD*99#"), 2)
            self.assertEqual(cellular.failures, 0)

    def test_imei_under_ppp(self):
        """Reading the IMEI under PPP ends the connection first."""
        cellular = self.cellular()
        cellular.up(60)
        self.assertEqual(cellular.imei(), IMEI)
        cellular.up(60)


class Escalation(Case):
    """The steps of recovery: dial again, radio, power, board."""

    def attempts(self, cellular, most=10):
        """Return how many attempts it takes."""
        for attempt in range(most):
            try:
                cellular.up(30)
                return attempt + 1
            except PointError:
                pass
        self.fail("never")

    def test_radio(self):
        """CFUN=0 and 1 before the third attempt."""
        cellular = self.cellular(
            registration=[0], after={"radio": {"registration": [1]}}
        )
        self.assertEqual(self.attempts(cellular), 3)
        self.assertEqual(self.asked("AT+CFUN=0"), 1)
        self.assertEqual(self.asked("AT+CFUN=1"), 1)

    def test_reset(self):
        """The modem's own reset, if it has no radio switch."""
        refusal = ["\r\n+CME ERROR: 4\r\n"] * NEVER
        cellular = self.cellular(
            registration=[0],
            answers={"AT+CFUN=0": refusal, "AT+CFUN=1": refusal},
            after={"reset": {"registration": [1]}},
        )
        self.assertEqual(self.attempts(cellular), 3)
        self.assertEqual(self.asked("AT+CFUN=1,1"), 1)

    def test_power(self):
        """The power key before the fifth attempt."""
        cellular = self.cellular(
            KEY, powerKey=4, registration=[0], after={"power": {"registration": [1]}}
        )
        self.assertEqual(self.attempts(cellular), 5)

    def test_restart(self):
        """After six attempts the board restarts; a success resets the count."""
        cellular = self.cellular(registration=[0])
        for _ in range(6):
            self.offline(cellular, 5)
        with self.assertRaises(SystemExit):
            cellular.up(5)
        cellular = self.cellular(registration=[0])
        self.offline(cellular, 5)
        self.modem.script["registration"] = [1]
        cellular.up(30)
        self.assertEqual(cellular._failed, 0)


AP = {"ssid": "a net", "password": "a word"}


class WiFi(Case):
    def wifi(self, settings=None):
        return Wifi(settings or AP, self.feed)

    def test_up(self):
        """It connects once, and again after a loss."""
        machine._script["wifi"] = AP
        wifi = self.wifi()
        wifi.up(10)
        wifi.up(10)
        network.WLAN(network.STA_IF).disconnect()
        wifi.up(10)
        wifi.failures = 3
        wifi.up(10)
        self.assertEqual(wifi.failures, 0)

    def test_not_there(self):
        """It reports the status by number, and connects when the network appears."""
        wifi = self.wifi()
        error = self.failed(wifi.up, 2)
        self.assertEqual(str(error), "E14 OFFLINE: Wi-Fi: status 201")
        machine._script["wifi"] = {"ssid": "a net", "password": "another"}
        self.assertEqual(self.failed(wifi.up, 2).detail, "Wi-Fi: status 202")
        machine._script["wifi"] = AP
        wifi.up(10)
        self.assertGreater(self.fed, 0)

    def test_slow(self):
        """A station that is still connecting is restarted."""
        machine._script["wifi"] = dict(AP, afterMs=5000)
        wifi = self.wifi()
        self.assertEqual(self.failed(wifi.up, 1).detail, "Wi-Fi: status 1001")
        wifi.up(30)


class Board(Case):
    """board.py with all its parts; the folder holds its board.json."""

    def setUp(self):
        Case.setUp(self)
        board._parts = None
        board.DIR = os.getenv("FLASH")
        machine.RTC._ahead_s = 0

    def boot(self, wired=None, **script):
        self.play(**script)
        given = {"modem": {"tx": 17, "rx": 16}}
        given.update(wired or {})
        with open(board.DIR + "/board.json", "w") as file:
            json.dump(given, file)

    def test_clock(self):
        """None, then the network's time, which stays right when the clock is set."""
        self.boot(clock="26/11/22,16:30:12+32")
        self.assertIsNone(board.now())
        self.assertIsNone(board.network_time())
        board.online(30)
        found = board.network_time()
        self.assertTrue(0 <= found - 1795336212 < 5)
        self.assertIsNone(board.now())
        board.set_clock(1800000000)
        self.assertTrue(0 <= board.now() - 1800000000 < 60)
        self.assertTrue(0 <= board.network_time() - found < 60)
        board.set_clock(board.network_time())
        self.assertTrue(0 <= board.network_time() - board.now() < 2)
        for unix_s in (
            1709164800,
            1735689599,
            1767225600,
        ):  # a leap day, and ends of years
            board.set_clock(unix_s)
            self.assertTrue(0 <= board.now() - unix_s < 60)

    def test_failures_are_counted(self):
        """Failed connections count; one with an answer does not."""
        self.boot()
        for expected in (1, 2, 3):
            self.failed(board.connect, "a..b", 1, None, 5)
            self.assertEqual(board._parts.bearer.failures, expected)
        there = int(os.getenv("ECHO_PORT"))
        self.assertEqual(
            self.failed(board.connect, "127.0.0.1", there, {}, 60).name, "TLS"
        )
        self.assertEqual(board._parts.bearer.failures, 0)
        self.failed(board.connect, "a..b", 1, None, 5)
        board.connect("127.0.0.1", there, None, 60).close()
        self.assertEqual(board._parts.bearer.failures, 0)

    def test_watchdog(self):
        """It starts with the first feed(), and all waits feed it."""
        self.boot()
        board.imei()
        board.feed()
        self.assertIsNone(machine._watchdog)
        board._parts = None
        self.boot({"watchdogS": 60}, registration=[0])
        board.feed()
        board.imei()
        self.assertIsNone(machine._watchdog)
        board.feed()
        self.assertIsNotNone(machine._watchdog)
        self.failed(board.online, 120)
        board.feed()
        compat.sleep_ms(61000)
        with self.assertRaises(SystemExit):
            board.feed()

    def test_watchdog_without_an_imei(self):
        """main.py has ended with that error; the watchdog restarts the board."""
        self.boot({"watchdogS": 60}, state="dead")
        self.assertEqual(self.failed(board.imei).name, "IMEI")
        self.assertIsNotNone(machine._watchdog)

    def test_restart(self):
        with self.assertRaises(SystemExit):
            board.restart()

    def test_flash_key(self):
        """The key depends on the chip."""
        key = board.flash_key()
        unique_id = machine.unique_id
        machine.unique_id = lambda: b"another"
        try:
            self.assertNotEqual(board.flash_key(), key)
        finally:
            machine.unique_id = unique_id

    def test_settings(self):
        """Everything unknown, missing or wrong is named."""
        modem = {"tx": 17, "rx": 16}
        for given, named in (
            ({"modem": {}}, "modem.tx is missing"),
            ({"modem": {"tx": 17}}, "modem.rx is missing"),
            ({"modem": dict(modem, txx=1)}, "unknown setting modem.txx"),
            ({"modem": dict(modem, tx=99)}, "modem.tx is not a number from 0 to 54"),
            ({"modem": dict(modem, tx="17")}, "modem.tx is not a number"),
            ({"modem": dict(modem, tx=True)}, "modem.tx is not a number"),
            ({"modem": dict(modem, high=12)}, "modem.high is not a list"),
            ({"modem": dict(modem, high=[12, 77])}, "modem.high is not a number"),
            ({"modem": dict(modem, uart=0)}, "modem.uart is not a number from 1"),
            ({"modem": dict(modem, apn='x",0')}, "modem.apn holds a character"),
            ({"modem": dict(modem, apn="")}, "modem.apn is empty"),
            ({"modem": dict(modem, auth="eap")}, "modem.auth is not one of none, pap"),
            ({"modem": dict(modem, auth="pap")}, "modem.user is missing"),
            ({"modem": dict(modem, simPin='1"')}, "modem.simPin holds a character"),
            ({"modem": 1}, "modem is not an object"),
            ({"wifi": {}}, "wifi.ssid is missing"),
            ({"wifi": {"ssid": 1}}, "wifi.ssid is not 1 to 64 bytes"),
            ({"wifi": {"ssid": "x", "key": "y"}}, "unknown setting wifi.key"),
            ({"watchdogS": 5}, "watchdogS is not a number from 60"),
            ({"claimKey": "eeprom"}, "claimKey is not one of file, nvs"),
            ({"bord": 1}, "unknown setting bord"),
        ):
            with self.subTest(named):
                board._parts = None
                self.boot(given)
                for call in (board.imei, board.claim_key, board.network_time):
                    error = self.failed(call)
                    self.assertEqual(error.name, "SETTING")
                    self.assertIn("board.json: " + named, error.detail)
        for text in ("", "{", "[]", '"x"'):
            board._parts = None
            with open(board.DIR + "/board.json", "w") as file:
                file.write(text)
            self.assertEqual(self.failed(board.imei).name, "SETTING")
        os.remove(board.DIR + "/board.json")
        self.assertIn("board.json cannot be read", self.failed(board.imei).detail)

    def test_all_settings(self):
        """A board.json with every key."""
        modem = {"uart": 2, "tx": 17, "rx": 16, "rts": 18, "cts": 19, "baud": 921600}
        modem.update({"powerKey": 4, "powerKeyLevel": 0, "powerKeyMs": 500})
        modem.update({"high": [12, 25], "simPin": "0000", "apn": "iot.1nce.net"})
        modem.update({"auth": "chap", "user": "u", "password": "p"})
        self.boot({"modem": modem, "wifi": AP, "claimKey": "nvs"})
        self.assertEqual(board.imei(), IMEI)
        with open(board.DIR + "/claim.key", "w") as file:
            file.write("5a" * 32)
        self.assertEqual(board.claim_key(), b"Z" * 32)
        self.assertNotIn("claim.key", os.listdir(board.DIR))
        self.assertEqual(board.claim_key(), b"Z" * 32)
        for name in ("options", "nvskey"):  # their memory would be missing for MQTT
            self.assertNotIn(name, sys.modules)


class Nvs(Case):
    """The behaviour of the shim that the claim key relies on."""

    def test_without_commit(self):
        """A value that was not committed is not stored."""
        import esp32

        nvs = esp32.NVS("test")
        nvs.set_blob("key", b"value")
        with self.assertRaises(OSError) as raised:
            esp32.NVS("test").get_blob("key", bytearray(9))
        self.assertEqual(raised.exception.args[0], -4354)
        nvs.commit()
        found = bytearray(9)
        self.assertEqual(esp32.NVS("test").get_blob("key", found), 5)
        self.assertEqual(bytes(found[:5]), b"value")
        with self.assertRaises(OSError):
            esp32.NVS("test").get_blob("key", bytearray(4))

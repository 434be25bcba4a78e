"""point.gizwits.register: credentials from Gizwits' cloud, by PointAccess.ensure()."""

import unittest

import fakes
from fakes import http

from point import provision
from point.access import PointAccess
from point.gizwits import authkey
from point.gizwits import form as gizwitsform
from point.gizwits import login as gizwits
from point.store import Store

KEY = "a1B2c3D4e5F"
IMEI = "490154203237518"
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
AUTH_KEY = "11111111222243338444555555555555"
DID = "Ab3dEf7h"
DATA = {"imei": IMEI, "productKey": KEY}
TRUST = {"ca": b"ca"}
ADDRESS = "address=m.example.com&port=8883&restart_time=1&tz_offset=8"


class Cloud:
    """Answers as both clouds do; `script` may have other answers to the next ones."""

    def __init__(self):
        self.script = []
        self.asked = []
        self.passcodes = []
        self.auth_key = AUTH_KEY

    def __call__(self, written):
        head, body = written.decode().split("\r\n\r\n")
        lines = head.split("\r\n")
        request = {"line": lines[0], "body": body}
        for line in lines[1:]:
            name, value = line.split(": ")
            request[name] = value
        self.asked.append(request)
        answer = self.script.pop(0) if self.script else self.honest(request)
        return answer if type(answer) is bytes else http(answer.encode(), "200 OK")

    def honest(self, request):
        verb, path, _ = request["line"].split(" ")
        if path.startswith("/dev/"):
            return self.classic(verb, path, request["body"])
        secret = self.auth_key if path == "/v2/devices/%s/bootstrap" % DID else SECRET
        nonce = request["X-Sign-Nonce"]
        if request["X-Sign-Token"] != gizwits.token(KEY, IMEI, secret, nonce):
            return http(b'{"error_code": 4}', "401 Unauthorized")
        if verb == "GET":
            return ADDRESS
        etag = gizwits.etag(self.auth_key, nonce, request["body"].encode())
        if path != "/v2/products/%s/devices/%s/network" % (KEY, IMEI) or (
            request["X-Sign-ETag"] != etag
        ):
            return http(b"no", "403 Forbidden")
        return ADDRESS + "&device_id=" + DID

    def classic(self, verb, path, body):
        if verb == "GET":
            text = path.split("?did=")[1]
            if gizwitsform.opened(SECRET, text.encode()) != DID.encode():
                return http(b"", "404 Not Found")
            return self.sealed("host=m2m.example.com&port=1883&server_ts=1")
        form = gizwitsform.parse(gizwitsform.opened(SECRET, body[5:].encode()))
        if body[:5] != "data=" or form["mac"] != IMEI or form["type"] != "normal":
            raise AssertionError(body)
        self.passcodes.append(form["passcode"])
        return http(self.sealed("did=" + DID).encode(), "201 Created")

    def sealed(self, text):
        return gizwitsform.sealed(SECRET, text)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.folder.write("auth.key", (AUTH_KEY + "," + DID + "\n").encode())
        self.patch = fakes.Patch()
        fakes.hold(self.patch)
        self.patch.set(provision, "sleep_ms", lambda ms: None)
        self.cloud = Cloud()

    def tearDown(self):
        self.patch.undo()
        self.folder.remove()

    def boot(self, by="auth-key", secret=SECRET, trust=TRUST):
        self.board = fakes.Board(self.folder.path, [self.cloud])
        access = PointAccess(self.board, trust=trust, store=Store(self.folder.path))
        found = {"source": "gizwits", "by": by, "deviceName": IMEI}
        found["productSecret"] = secret
        access.identity = found
        return access

    def refused(self, name, by="auth-key", secret=SECRET):
        """The code where nothing is kept, for a reason of that name."""
        access = self.boot(by, secret)
        code = access.ensure(None, DATA, 1)
        self.assertEqual(access.error.name, name)
        self.assertIsNone(access.source)
        kept = [n for n in self.folder.names() if n[:7] not in ("pending", "auth.ke")]
        self.assertEqual(kept, [])
        for stream in self.board.streams:
            self.assertEqual(stream.closed, 1)
        self.detail = access.error.detail
        for word in (SECRET, AUTH_KEY):
            self.assertNotIn(word, str(access.error))
        return code


class AuthKey(Case):
    def test_with_a_did(self):
        """One signed GET; what it gives can log in, and is in flash."""
        access = self.boot(secret=None)
        self.assertEqual(access.ensure(None, DATA), "00000")
        self.assertEqual(self.board.connected[0][:2], ("agent.gizwitsapi.com", 443))
        (request,) = self.cloud.asked
        line = "GET /v2/devices/%s/bootstrap HTTP/1.1" % DID
        self.assertEqual(request["line"], line)
        self.assertEqual(request["X-Sign-Method"], "sha256")
        self.assertEqual(len(request["X-Trace-Id"]), 32)
        self.assertNotIn("X-Sign-ETag", request)
        device = {"productKey": KEY, "deviceName": IMEI, "authKey": AUTH_KEY}
        device["productSecret"] = device["deviceSecret"] = None
        self.assertEqual(access.device_config["device"], device)
        connect = access.device_config["connect"]
        self.assertEqual(connect["host"], "m.example.com")
        self.assertEqual((connect["port"], connect["auth"]), (8883, "gizwits"))
        login = gizwits.login(device, connect, access.random)
        self.assertEqual(login[0], DID)
        again = self.boot()
        self.assertEqual(again.ensure(None, DATA), "00000")
        self.assertEqual((again.source, self.board.connected), ("flash", []))

    def test_without_a_did(self):
        """By the IMEI, under the product secret; the body under the key."""
        self.folder.write("auth.key", AUTH_KEY.encode())
        access = self.boot()
        self.assertEqual(access.ensure(None, DATA), "00000")
        (request,) = self.cloud.asked
        self.assertEqual(request["Content-Type"], "text/plain")
        begin, _, end = request["body"].split("&", 2)
        self.assertEqual(begin, "is_reset=1")
        self.assertEqual(end, "lan_proto_ver=v5.0&user_id=")
        self.assertEqual(access.device_config["connect"]["clientId"], DID)

    def test_without_a_did_or_a_product_secret(self):
        """The key signs that, too; this cloud does not take it."""
        self.folder.write("auth.key", AUTH_KEY.encode())
        self.assertEqual(self.refused("REFUSED", secret=None), "4")
        request = self.cloud.asked[0]
        token = gizwits.token(KEY, IMEI, AUTH_KEY, request["X-Sign-Nonce"])
        self.assertEqual(request["X-Sign-Token"], token)

    def test_keys_that_are_none(self):
        """SETTING, before anything is asked; the key is not told."""
        for text in (
            b"",
            AUTH_KEY[:-1].encode(),
            (AUTH_KEY + "0").encode(),
            AUTH_KEY.replace("1", "g").encode(),
            (AUTH_KEY + ",a/b").encode(),
            (AUTH_KEY + ",a b").encode(),
            b"\xff" * 32,
        ):
            self.folder.write("auth.key", text)
            self.assertEqual(self.refused("SETTING"), "77777", text)
            self.assertIn("auth.key", self.detail)
            self.assertEqual(self.cloud.asked, [])

    def test_there_is_none(self):
        """And that is said."""
        from point.compat import os

        os.remove(self.folder.path + "/auth.key")
        self.assertEqual(self.refused("SETTING"), "77777")
        self.assertIn("cannot be read", self.detail)


class ComputedKey(Case):
    def test_made_by_the_board(self):
        """No auth.key is read; the cloud that knows the algorithm lets it in."""
        self.folder.write("auth.key", b"nobody reads it")
        key = authkey.derive(SECRET, KEY, IMEI)
        self.cloud.auth_key = key
        access = self.boot("computed-key")
        self.assertEqual(access.ensure(None, DATA), "00000")
        self.assertEqual(access.device_config["device"]["authKey"], key)
        connect = access.device_config["connect"]
        self.assertEqual((connect["auth"], connect["clientId"]), ("gizwits", DID))


class Classic(Case):
    def test_registers_and_asks_where(self):
        """Both encrypted, on one connection; port 1883 has its TLS at 8883."""
        access = self.boot("classic")
        self.assertEqual(access.ensure(None, DATA), "00000")
        self.assertEqual(self.board.connected[0][:2], ("api.gizwits.com", 443))
        self.assertEqual(len(self.board.streams), 1)
        post, get = self.cloud.asked
        self.assertEqual(post["line"], "POST /dev/%s/device HTTP/1.1" % KEY)
        kind = "application/x-www-form-urlencoded"
        self.assertEqual(post["Content-Type"], kind)
        self.assertNotIn(IMEI, post["body"])
        self.assertNotIn(DID, get["line"])
        device = access.device_config["device"]
        self.assertEqual([device["deviceSecret"]], self.cloud.passcodes)
        self.assertEqual(len(device["deviceSecret"]), 10)
        connect = access.device_config["connect"]
        self.assertEqual(connect["host"], "m2m.example.com")
        self.assertEqual((connect["port"], connect["auth"]), (8883, "gizwits-classic"))
        self.assertEqual(gizwits.classic_login(device, connect)[:2], (DID, DID))

    def test_unfilled_replies(self):
        """A reply of whole blocks without filling is read as well."""
        text = "did=mnbvcxzlkjhgfdsapoiuyt&abc=1"  # 32 characters
        unfilled = gizwitsform.sealed(SECRET, text)[:64]
        self.cloud.script = [http(unfilled.encode(), "201 Created")]
        self.refused("REFUSED", "classic")  # another did, but it was read
        asked = self.cloud.asked[1]["line"].split("?did=")[1].split(" ")[0]
        self.assertEqual(asked, gizwitsform.sealed(SECRET, text[4:26]))

    def test_each_time_another_passcode(self):
        """A board that lost its flash registers again."""
        self.patch.set(fakes.Board, "random", fakes.Dice(3))
        for _ in range(3):
            self.boot("classic").ensure(None, DATA)
            self.board = None
            Store(self.folder.path).clear()
        self.assertEqual(len(set(self.cloud.passcodes)), 3)

    def test_a_product_secret_that_is_none(self):
        """SETTING, and nothing is asked."""
        self.assertEqual(self.refused("SETTING", "classic", "s3cret"), "77777")
        self.assertEqual(self.cloud.asked, [])


class Answers(Case):
    def test_refusals(self):
        """The cloud's own code, else the HTTP status; both are refusals."""
        for by in ("auth-key", "classic"):
            for body, code in (
                (b'{"error_code": 9014, "error_message": "no"}', "9014"),
                (b'{"error_code": "9014"}', "403"),
                (b'{"error_code": 0}', "403"),
                (b"<html>", "403"),
                (b"", "403"),
            ):
                self.cloud.script = [http(body, "403 Forbidden")]
                self.assertEqual(self.refused("REFUSED", by), code)
                self.assertEqual(self.detail, "the cloud answered " + code)

    def test_trouble_of_the_service(self):
        """Redirects, 429 and 5xx say nothing of the device."""
        for status in ("302 Found", "429 Slow Down", "500 x", "503 x"):
            self.cloud.script = [http(b'{"error_code": 9014}', status)]
            self.assertEqual(self.refused("HTTP_STATUS"), "77777")

    def test_answers_that_are_no_use(self):
        """Each member is held to its rule; what is wrong is named."""
        for text, name in (
            ("port=8883", "FIELD"),
            ("address=a/b&port=8883", "FIELD"),
            ("address=&port=8883", "FIELD"),
            ("address=m.example.com", "FIELD"),
            ("address=m.example.com&port=0", "FIELD"),
            ("address=m.example.com&port=65536", "FIELD"),
            ("address=m.example.com&port=-1", "FIELD"),
            ("address=m.example.com&port=1e3", "FIELD"),
            ("", "MALFORMED"),
            ("<html>", "MALFORMED"),
            ('{"address": "m.example.com"}', "MALFORMED"),
        ):
            self.cloud.script = [text]
            self.assertEqual(self.refused(name), "77777", text)
        self.folder.write("auth.key", AUTH_KEY.encode())
        for did in ("", "&device_id=", "&device_id=a/b", "&device_id=a%26b"):
            self.cloud.script = [ADDRESS + did]
            self.assertEqual(self.refused("FIELD"), "77777", did)
        for did in ("", "did=", "did=a/b", "passcode=x", "did"):
            self.cloud.script = [self.cloud.sealed(did)]
            self.assertEqual(self.refused_either("classic"), "77777", did)

    def refused_either(self, by):
        access = self.boot(by)
        code = access.ensure(None, DATA, 1)
        self.assertIn(access.error.name, ("FIELD", "MALFORMED"))
        return code

    def test_nobody_is_asked_unverified(self):
        """Without a CA or pins, or where the firmware cannot verify."""
        for trust, verifies in ((None, True), ({}, True), (TRUST, False)):
            for by in ("auth-key", "classic"):
                access = self.boot(by, trust=trust)
                self.board.VERIFIES = verifies
                self.assertEqual(access.ensure(None, DATA, 1), "77777")
                self.assertEqual(access.error.name, "UNVERIFIED")
                self.assertEqual(self.board.connected, [])

    def test_url(self):
        """Another region, or a cloud of one's own."""
        access = self.boot()
        self.assertEqual(access.ensure("https://c.example.com:8443", DATA), "00000")
        self.assertEqual(self.board.connected[0][:2], ("c.example.com", 8443))
        self.assertEqual(self.cloud.asked[0]["Host"], "c.example.com:8443")

"""A cellular modem that plays a script: bytes in, bytes out, on either runtime.

It answers as SIM7600, A7670 and EC25 do by their AT command manuals and boot logs, and
goes wrong as it is told. In data mode it speaks a stand-in for PPP, frames between
tildes: what network.py beside this sends.

The script is the JSON file that SHIM_SCRIPT names; DEFAULTS below are all its keys.
"""

import json
import os

from point import compat

KINDS = {
    "sim7600": {
        "banner": ["RDY", "+CPIN: READY", "SMS DONE", "PB DONE"],
        "imei": {"AT+CGSN": "%s"},
        "unset": "70/01/01,00:00:20+00",
        "local": ["AT+CTZU=1"],
        "connect": "CONNECT 115200",
        "hung_up": ["OK", "NO CARRIER"],
    },
    "a7670": {
        "banner": ["*ATREADY: 1", "+CPIN: READY", "SMS DONE", "+CGEV: EPS PDN ACT 1"],
        "imei": {"AT+CGSN": "%s"},
        "unset": "70/01/01,00:00:05+00",
        "local": ["AT+CTZU=1"],
        "connect": "CONNECT 115200",
        "hung_up": ["OK"],
    },
    "ec25": {
        "banner": ["RDY", "+CFUN: 1", "+CPIN: READY", "+QUSIM: 1"]
        + ["+QIND: SMS DONE", "+QIND: PB DONE"],
        "imei": {"AT+CGSN": "%s", "AT+GSN": "%s"},
        "unset": "80/01/06,00:00:08+00",
        "local": ["AT+CTZU=3"],
        "connect": "CONNECT 150000000",
        "hung_up": ["NO CARRIER", "OK"],
    },
}
DEFAULTS = {
    "kind": "ec25",
    "imei": None,  # else the environment's POINTACCESS_IMEI
    "state": "command",  # or "off", "data" (of a connection before), "dead"
    "bootMs": 3000,
    "powerKey": None,  # its pin; without one it is on when the power is
    "supply": None,  # the pin that has to be high for the key to do anything
    "powerMs": 500,  # for so long the key has to be pressed
    "sim": "READY",  # or SIM PIN, SIM PUK, absent
    "simBusy": 0,  # so many times it is busy first
    "pin": "1234",
    "registration": [2, 1],  # one after the other; the last one stays
    "registers": ["AT+CEREG?", "AT+CGREG?", "AT+CREG?"],  # the commands it has
    "apn": None,  # the only one that connects
    "auth": "NONE",
    "user": None,
    "password": None,
    "clock": None,  # what AT+CCLK? says; None: never set
    "answers": {},  # by command: raw text, one after the other, then as ever
    "notices": [],  # come in before each answer
    "garbage": "",  # comes in before each answer, as hex
    "chunk": 0,  # most bytes that a read gives
    "mute": [],  # what it does not answer
    "refusesPpp": 0,  # so many times PPP does not come up
    "after": {},  # by "radio" (CFUN), "reset" (CFUN=1,1), "power": what is other then
    # Of the board around it:
    "api": "new",  # or "old": network.PPP before MicroPython 1.26
    "uart": None,  # the path of a pty with a modem; else this one
    "wifi": None,  # the access point: ssid, password, afterMs
    "gated": False,  # without a bearer there are no sockets
    "adcUv": 1000000,
}
GUARD_MS = 1000


def load():
    """What SHIM_SCRIPT says, and the defaults."""
    script = dict(DEFAULTS)
    path = os.getenv("SHIM_SCRIPT")
    if path:
        with open(path) as file:
            given = json.load(file)
        unknown = [key for key in given if key not in DEFAULTS]
        if unknown:
            raise ValueError("SHIM_SCRIPT has " + ", ".join(unknown))
        script.update(given)
    return script


class Scripted:
    """The modem. `log` holds the commands that it has understood."""

    def __init__(self, script):
        self.script = dict(DEFAULTS)
        self.script.update(script)
        self.kind = KINDS[self.script["kind"]]
        self.state = self.script["state"]
        self.log = []
        self._answers = {k: list(v) for k, v in self.script["answers"].items()}
        self._out = bytearray()
        self._line = b""
        self._frame = None
        self._echo = True
        self._local = self._pressed = None
        self._heard = self._begins = compat.ticks_ms()
        self._plus = 0
        self._registered = 0
        self._supplied = self.script["supply"] is None

    def hear(self, data):
        """Bytes from the board."""
        now = compat.ticks_ms()
        self._settle(now)
        if self.state == "command":
            for byte in data:
                self._command(byte)
        elif self.state == "data":
            quiet = compat.ticks_diff(now, self._heard) >= GUARD_MS
            self._plus = now if data == b"+++" and quiet else 0
            for byte in data:
                self._data(byte)
        self._heard = now

    def say(self, most=None):
        """Bytes for the board, b"" if there are none now."""
        self._settle(compat.ticks_ms())
        most = self.script["chunk"] or most or len(self._out)
        data = bytes(self._out[:most])
        self._out = self._out[most:]
        return data

    def key(self, pin, level):
        """The board has set a pin."""
        if pin == self.script["supply"]:
            self._supplied = bool(level)
        if pin != self.script["powerKey"] or not self._supplied:
            return
        now = compat.ticks_ms()
        if level:
            self._pressed = now
        elif self._pressed is not None:
            if compat.ticks_diff(now, self._pressed) >= self.script["powerMs"]:
                self._change("power")
                if self.state == "off":
                    self._boot()
                else:
                    self.state = "off"
                    self._out = bytearray()
            self._pressed = None

    def hang_up(self):
        """The network ends the connection."""
        if self.state == "data":
            self.state = "command"
            self._print("NO CARRIER")

    def _boot(self):
        self.state = "booting"
        self._echo, self._local, self._registered = True, None, 0
        self._line = b""
        self._begins = compat.ticks_add(compat.ticks_ms(), self.script["bootMs"])
        self._out.extend(b"\x00\xff\xfe~\x80\r\n")  # its pins before it runs

    def _settle(self, now):
        """What time brings about."""
        if self.state == "booting" and compat.ticks_diff(now, self._begins) >= 0:
            self.state = "command"
            for line in self.kind["banner"]:
                self._print(line)
        elif self.state == "data" and self._plus:
            if compat.ticks_diff(now, self._plus) >= GUARD_MS:
                self._plus, self.state = 0, "command"
                self._print("OK")

    def _change(self, event):
        self.script.update(self.script["after"].get(event, {}))
        self._registered = 0

    def _print(self, line):
        self._out.extend(b"\r\n" + line.encode() + b"\r\n")

    def _command(self, byte):
        if self._echo:
            self._out.append(byte)
        if byte == 13:
            try:
                line = self._line.decode().strip()
            except UnicodeError:
                line = ""
            self._line = b""
            if line[-2:] == "AT" or line[:2] == "AT":
                self._obey(line[line.find("AT") :])
        elif byte == 127 or byte < 32:
            pass
        else:
            self._line = (self._line + bytes([byte]))[-200:]

    def _obey(self, line):
        self.log.append(line)
        name = line.split("=", 1)[0]
        if line in self.script["mute"] or name in self.script["mute"]:
            return
        self._out.extend(compat.binascii.unhexlify(self.script["garbage"]))
        for notice in self.script["notices"]:
            self._print(notice)
        if self._answers.get(line):
            self._out.extend(self._answers[line].pop(0).encode())
            return
        if line in self.script["registers"]:
            stages = self.script["registration"]
            stat = stages[min(self._registered, len(stages) - 1)]
            if line == self.script["registers"][0]:
                self._registered += 1
            self._print("%s: 0,%d" % (line[2:-1], stat))
            self._print("OK")
        elif line in self.kind["imei"]:
            self._say_imei(self.kind["imei"][line])
        elif name in ("ATD*99#", "AT+CGDATA"):
            self._dial()
        elif line == "AT+CPIN?":
            self._sim()
        else:
            self._answer(line, name)

    def _answer(self, line, name):
        if line == "ATE0":
            self._echo = False
        elif name == "AT+CPIN":
            if line != 'AT+CPIN="%s"' % self.script["pin"]:
                return self._print("+CME ERROR: 16")
            self.script["sim"] = "READY"
        elif line == "AT+CCLK?":
            self._print('+CCLK: "%s"' % (self.script["clock"] or self.kind["unset"]))
        elif name == "AT+CTZU":
            if line not in self.kind["local"]:
                return self._print("+CME ERROR: 50")
            self._local = line
        elif name == "AT+CGDCONT":
            self._apn = line.split('"')[3]
        elif line == "ATH":
            for word in self.kind["hung_up"]:
                self._print(word)
            return
        elif line == "AT+CFUN=1":
            self._change("radio")
        elif line == "AT+CFUN=1,1":
            self._print("OK")
            self._change("reset")
            return self._boot()
        elif line not in ("AT", "AT+CMEE=1", "AT+CFUN=0"):
            return self._print("ERROR")
        self._print("OK")

    def _say_imei(self, form):
        imei = self.script["imei"] or os.getenv("POINTACCESS_IMEI")
        if imei:
            self._print(form % imei)
        self._print("OK" if imei else "ERROR")

    def _sim(self):
        if self.script["simBusy"]:
            self.script["simBusy"] -= 1
            self._print("+CME ERROR: 14")
        elif self.script["sim"] == "absent":
            self._print("+CME ERROR: 10")
        else:
            self._print("+CPIN: " + self.script["sim"])
            self._print("OK")

    _apn = None

    def _dial(self):
        stages = self.script["registration"]
        stat = stages[min(self._registered, len(stages) - 1)]
        right = self.script["apn"] in (None, self._apn)
        if self.script["sim"] != "READY" or stat not in (1, 5) or not right:
            return self._print("NO CARRIER")
        self._print(self.kind["connect"])
        self._out.extend(b"~\xff}#\xc0!}!}!} }0~")  # its first LCP frame
        self.state, self._frame, self._plus = "data", None, 0

    def _data(self, byte):
        if byte != 126:
            if self._frame is not None:
                self._frame.append(byte)
        elif self._frame:
            frame, self._frame = bytes(self._frame).decode(), None
            self._ppp(frame.split(" "))
        else:
            self._frame = bytearray()

    def _ppp(self, words):
        if words[0] == "UP":
            wanted = [self.script[name] for name in ("auth", "user", "password")]
            wanted = [str(word) for word in wanted]
            if self.script["refusesPpp"]:
                self.script["refusesPpp"] -= 1
            elif wanted[0] == "NONE" or words[1:] == wanted:
                self._out.extend(b"~UP~")
            else:
                self._out.extend(b"~REFUSED~")
        elif words[0] == "DOWN":
            self._out.extend(b"~DOWN~")
            self.state = "command"
            self._print("NO CARRIER")

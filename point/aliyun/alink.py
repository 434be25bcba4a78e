"""Alink over one session: a device's requests to Alibaba's cloud, and the cloud's.

Topics are /sys/{productKey}/{deviceName}/{method}, and the same + "_reply" for replies.
A message that comes waits for step(): an answer in the middle of a publish would
swallow the acknowledgement that the publish is waiting for.
"""

from ..compat import const, ticks_add, ticks_diff, ticks_ms
from ..errors import PointError
from .alink_json import TOO_MANY, Answers, decode, request

_WAITING = const(8)  # messages, of at most so many bytes in all
_WAITING_BYTES = const(16384)  # a reply with the names of 100 sub-devices


def _silent(event, detail):
    pass


class Request:
    """A request without a reply yet. It is sent `left` more times, next at `due`."""

    def __init__(self, number, text, then, every_ms, times):
        self.number = number
        self.text = text
        self.then = then
        self.every_ms = every_ms
        self.left = times
        self.due = ticks_ms()


class Alink:
    """`session` is a point.session.Session, `device` its device_config's "device".

    Each of `steps` is called by step(), with True if the session has connected since.
    `log(event, detail)` is called for replies and failures."""

    def __init__(self, session, device, random, log=_silent):
        self.steps = []
        self.device = device
        self._prefix = "/sys/%s/%s/" % (device["productKey"], device["deviceName"])
        self._session = session
        self._log = log
        self._number = int.from_bytes(random(3), "big")  # no id from before a reboot
        self._connections = 0
        self._asked = {}  # by the reply's topic; None once it has come
        self._served = {}
        self._topics = []  # not subscribed to yet
        self._waiting = []
        self._answers = Answers(log)

    def ask(self, method, params, then=None, every_ms=0, times=1):
        """Send a request, and again every `every_ms`, `times` in all (-1: for ever).

        With every_ms 0 once for each connection. `then(code, data)` is given the reply,
        or (None, None) after the last wait for it. While `times` are left, a reply that
        says "later" is none, and one for which `then` raises is asked for again.
        Returns the Request, which takes the place of the method's one before."""
        self._number += 1
        text = request(self._number, method, params)
        name = method.replace(".", "/") + "_reply"
        if name not in self._asked:
            self._topics.append(name)
        asked = Request(str(self._number), text, then, every_ms, times)
        self._asked[name] = asked
        return asked

    def serve(self, name, handler):
        """Answer requests on the topic `name` with what `handler(params)` returns.

        A PointError that it raises is answered as an error of the parameters."""
        self._topics.append(name)
        self._served[name] = handler

    def received(self, topic, message):
        """Take a message, in bytes; False if it is not ours. Give it all that come."""
        for name in list(self._asked) + list(self._served):
            if topic == (self._prefix + name).encode():
                size = sum([len(each) for _, each in self._waiting], len(message))
                if len(self._waiting) < _WAITING and size <= _WAITING_BYTES:
                    self._waiting.append((name, message))
                else:
                    self._log("dropped", name)
                return True
        return False

    def step(self):
        """Do what is due. Call it after each Session.step()."""
        connected = self._connections != self._session.connections
        if connected:
            self._connections = self._session.connections
            for asked in self._asked.values():
                if asked:  # its reply may be lost with the connection
                    asked.due = ticks_ms()
                    if not asked.every_ms:
                        asked.left = 1
        while self._waiting:
            self.call(self._take, *self._waiting.pop(0))
        for step in self.steps:
            self.call(step, connected)
        while self._topics:
            self._session.subscribe(self._prefix + self._topics.pop())
        for name in list(self._asked):
            asked = self._asked[name]
            if asked and ticks_diff(asked.due, ticks_ms()) <= 0:
                self._send(name, asked)

    def call(self, function, *arguments):
        """Call `function`, if there is one; False if it raised, which is logged."""
        try:
            if function is not None:
                function(*arguments)
            return True
        except Exception as error:
            known = isinstance(error, PointError)
            self._log("failed", error if known else type(error).__name__)
            return False

    def _send(self, name, asked):
        if asked.left:
            if self._session.publish(self._prefix + name[:-6], asked.text):
                asked.left -= 1
                asked.due = ticks_add(ticks_ms(), asked.every_ms)
        elif asked.every_ms:
            self._asked[name] = None
            self.call(asked.then, None, None)

    def _take(self, name, message):
        try:
            members = decode(message)
        except ValueError:
            return self._log("malformed", name)
        if name in self._served:
            reply = self._answers.answer(message, members, self._served[name])
            self._session.publish(self._prefix + name + "_reply", reply)
        else:
            self._replied(name, members)

    def _replied(self, name, members):
        asked, code = self._asked[name], members.get("code")
        if type(code) is not int:
            return self._log("malformed", name)
        if not asked or asked.number != members["id"]:
            return
        if asked.left and (code == TOO_MANY or code // 100 == 5):
            return
        self._log("replied", "%s %d" % (name, code))
        self._asked[name] = None
        if not self.call(asked.then, code, members.get("data")) and asked.left:
            self._asked[name] = asked

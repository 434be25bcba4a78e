"""A sensor in the cloud: publishes a voltage, as often as {"intervalS": 10} says."""

import sensor

import board
from point import compat, setup


def say(event, what=""):
    print("[%6d ms] %s %s" % (compat.ticks_diff(compat.ticks_ms(), START), event, what))


class Reporter:
    """What is due, and when; both change while it runs."""

    interval_s = 60

    def __init__(self):
        self._due = compat.ticks_ms()

    def received(self, topic, message):
        """A command: {"intervalS": 1 to 3600}. Anything else is left alone."""
        try:
            wanted = strictjson.loads(message)["intervalS"]
        except (ValueError, KeyError, TypeError):
            wanted = None
        if type(wanted) is not int or not 1 <= wanted <= 3600:
            return say("ignored", "%d bytes on %s" % (len(message), topic.decode()))
        self.interval_s = wanted
        self._due = compat.ticks_ms()
        say("obeys", "every %d s" % wanted)

    def step(self, session):
        """Publish if it is time; what does not arrive is measured anew."""
        if compat.ticks_diff(self._due, compat.ticks_ms()) > 0:
            return
        message = b'{"millivolts":%d}' % sensor.millivolts()
        if session.publish(session.topic + "up", message):
            self._due = compat.ticks_add(compat.ticks_ms(), self.interval_s * 1000)
            say("published", message.decode())


def run(reporter, session):
    """Measure and obey until the broker refuses the credentials for good."""
    session.subscribe(session.topic + "down")
    while not access.rejected:
        if session.step():
            reporter.step(session)
        compat.sleep_ms(20)


START = compat.ticks_ms()
access, url, request = setup.prepare(board)
del setup  # and its module: MQTT needs the memory
say("boot", "IMEI " + request["imei"])
while not access.error or access.error.name != "NO_MEMORY":
    code = access.ensure(url, request)
    say("credentials", "%s %s" % (code, access.error or access.source))
    if code == access.success_code:
        from point import strictjson  # late: provisioning needed the memory
        from point.session import Session

        reporter = Reporter()
        run(reporter, Session(access, reporter.received, say))
board.restart()  # else it would try again at once, with a heap in pieces

"""What a board runs: where the board, its credentials and MQTT meet."""

import board
from point.compat import sleep_ms, ticks_diff, ticks_ms
from point.session import Session
from point.setup import prepare

START = ticks_ms()


def say(event, detail=""):
    print("[%6d ms] %s %s" % (ticks_diff(ticks_ms(), START), event, detail))


def received(topic, message):
    say("received", "%d bytes on %s" % (len(message), topic.decode()))


def run(session):
    """Talk to the broker until it refuses the credentials for good."""
    session.subscribe(session.topic + "down")
    up = session.topic + "up"
    greeting = b'{"online":true}'
    while not access.rejected:
        if session.step() and greeting and session.publish(up, greeting):
            say("published", "%d bytes on %s" % (len(greeting), up))
            greeting = None
        sleep_ms(20)


access, url, request = prepare(board)
say("boot", "IMEI " + request["imei"])
while True:
    code = access.ensure(url, request)
    say("credentials", "%s %s" % (code, access.error or access.source))
    if code == access.success_code:
        run(Session(access, received, say))

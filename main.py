"""What a board runs: where the board, its credentials and MQTT meet."""

import board
from point import setup
from point.compat import sleep_ms, ticks_diff, ticks_ms

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


access, url, request = setup.prepare(board)
del setup  # and its module: MQTT needs the room
say("boot", "IMEI " + request["imei"])
while True:
    code = access.ensure(url, request)
    say("credentials", "%s %s" % (code, access.error or access.source))
    if code == access.success_code:
        from point.session import Session  # now: what is above needs the room too

        run(Session(access, received, say))

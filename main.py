"""What a board runs: where the board, its credentials and MQTT meet."""

import board
from point import compat, setup


def say(event, what=""):
    print("[%6d ms] %s %s" % (compat.ticks_diff(compat.ticks_ms(), START), event, what))


def received(topic, message):
    say("received", "%d bytes on %s" % (len(message), topic.decode()))


def run(session):
    """Talk to the broker until it refuses the credentials for good."""
    session.subscribe(session.topic + "down")
    up, greeting = session.topic + "up", b'{"online":true}'
    while not access.rejected:
        if session.step() and greeting and session.publish(up, greeting):
            say("published", "%d bytes on %s" % (len(greeting), up))
            greeting = None
        compat.sleep_ms(20)


START = compat.ticks_ms()
access, url, request = setup.prepare(board)
del setup  # and its module: MQTT needs the memory
say("boot", "IMEI " + request["imei"])
while not access.error or access.error.name != "NO_MEMORY":
    try:
        code = access.ensure(url, request)
        say("credentials", "%s %s" % (code, access.error or access.source))
        if code == access.success_code:
            from point.session import Session  # late: provisioning needs the memory

            run(Session(access, received, say))
    except MemoryError:
        break
board.restart()  # else it would try again at once, with a heap in pieces

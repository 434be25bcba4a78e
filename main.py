"""What a board runs: where the board, its credentials and MQTT meet."""

import board
from point import PointAccess, settings
from point.compat import sleep_ms, ticks_diff, ticks_ms
from point.session import Session
from point.store import read_setup

START = ticks_ms()


def say(event, detail=""):
    print("[%6d ms] %s %s" % (ticks_diff(ticks_ms(), START), event, detail))


def received(topic, message):
    say("received", "%d bytes on %s" % (len(message), topic.decode()))


wanted = settings.parse(read_setup(board.DIR, "settings.json"))
ca = read_setup(board.DIR, wanted["ca"])
access = PointAccess(board, ca=ca, timeout_s=wanted["timeoutS"])
request = {"imei": board.imei(), "productKey": wanted["productKey"]}
say("boot", "IMEI " + request["imei"])
while access.ensure(wanted["url"], request) != access.success_code:
    say("waiting", access.error)
say("credentials", "from " + access.source)

access.device_config["connect"].update(wanted["mqtt"])
session = Session(board, access.device_config, ca, received, access.store.confirm)
session.subscribe(session.topic + "down")
greeting = b'{"online":true}'
while True:
    board.feed()
    if session.step() and greeting:
        say("connected", session.host)
        if session.publish(session.topic + "up", greeting):
            say("published", "%d bytes on %sup" % (len(greeting), session.topic))
            greeting = None
    sleep_ms(20)

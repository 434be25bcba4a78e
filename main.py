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
code = None
while code != access.success_code:
    code = access.ensure(wanted["url"], request)
    say("credentials", "%s %s" % (code, access.error or access.source))

access.device_config["connect"].update(wanted["mqtt"])
confirm = access.store.confirm
session = Session(board, access.device_config, ca, received, confirm, say)
session.subscribe(session.topic + "down")
greeting = b'{"online":true}'
while True:
    board.feed()
    if session.step() and greeting and session.publish(session.topic + "up", greeting):
        say("published", "%d bytes on %sup" % (len(greeting), session.topic))
        greeting = None
    sleep_ms(20)

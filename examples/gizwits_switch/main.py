"""A switch in Gizwits' cloud: an app turns it on and off, or asks, by frames."""

import board
from point import compat, setup

STATE = bytearray(1)  # the product's one data point, as its payloads carry it


def say(event, what=""):
    print("[%6d ms] %s %s" % (compat.ticks_diff(compat.ticks_ms(), START), event, what))


def run(did):
    from point.errors import PointError
    from point.gizwits import frame as frames  # late: provisioning needed the memory
    from point.session import Session

    waiting = []

    def received(topic, message):
        try:
            command, payload, number = frames.decode(message)
        except PointError as error:
            say("ignored", error)
            return
        action, value = payload[:1], payload[1:2]
        if action == bytes([frames.CONTROL]) and len(value) == 1:
            STATE[0] = value[0] & 1
            say("switched", "on" if STATE[0] else "off")
        elif action != bytes([frames.READ]):
            say("ignored", "an action")
            return
        status = bytes([frames.STATUS]) + STATE
        to = "dev2app/%s/%s" % (did, topic.decode().split("/")[2])
        if command == frames.ASKED:
            waiting.append((to, frames.encode(frames.ANSWERED, status, number)))
        elif command == frames.TO_DEVICE:
            waiting.append((to, frames.encode(frames.FROM_DEVICE, status)))

    session = Session(access, received, say)
    session.subscribe("app2dev/%s/#" % did)
    report = frames.encode(frames.FROM_DEVICE, bytes([frames.REPORT]) + STATE)
    waiting.append(("dev2app/" + did, report))
    while not access.rejected:
        if session.step() and waiting:
            if session.publish(waiting[0][0], waiting[0][1]):
                say("published", waiting.pop(0)[0])
        compat.sleep_ms(20)


START = compat.ticks_ms()
access, url, request = setup.prepare(board)
del setup  # and its module: MQTT needs the memory
while not access.error or access.error.name != "NO_MEMORY":
    code = access.ensure(url, request)
    say("credentials", "%s %s" % (code, access.error or access.source))
    if code == access.success_code:
        run(access.device_config["connect"]["clientId"])
board.restart()  # else it would try again at once, with a heap in pieces

"""A gateway in Alibaba's cloud: registers, is bound, adds those of sub-devices.json."""

import board
from point import compat, setup


def say(event, what=""):
    print("[%6d ms] %s %s" % (compat.ticks_diff(compat.ticks_ms(), START), event, what))


def run(device):
    from point import strictjson  # late: provisioning needed the memory
    from point.aliyun import cipher
    from point.aliyun.alink import Alink
    from point.aliyun.binding import Binding
    from point.aliyun.gateway import CLOSED, Gateway
    from point.session import Session
    from point.store import read_setup

    def received(topic, message):
        if not alink.received(topic, message):
            say("received", "%d bytes on %s" % (len(message), topic.decode()))
            if message == b"reset":  # a button would do the same
                binding.reset()
            elif message == b"cipher":
                binding.cipher_key(4, random, ciphered)

    def ciphered(key):
        say("ciphered", key == cipher.channel_key(4, device["deviceSecret"], random))

    def permitted(time):
        say("permitted", time)
        if time != CLOSED:
            gateway.add(strictjson.loads(sub_devices), added)

    def added(code, names):
        say("added", "%s %s" % (code, names))
        gateway.topology(lambda found: say("topology", found))

    random = compat.binascii.hexlify(board.random(16)).decode()
    sub_devices = read_setup(board.DIR, "sub-devices.json")
    session = Session(access, received, say)
    session.subscribe(session.topic + "get")
    alink = Alink(session, device, board.random, say)
    binding = Binding(alink, access, lambda operation: say("notified", operation))
    gateway = Gateway(alink, permitted)
    while not access.rejected:
        session.step()
        alink.step()
        compat.sleep_ms(20)


START = compat.ticks_ms()
access, url, request = setup.prepare(board)
del setup  # and its module: MQTT needs the memory
while not access.error or access.error.name != "NO_MEMORY":
    code = access.ensure(url, request)
    say("credentials", "%s %s" % (code, access.error or access.source))
    if code == access.success_code:
        run(access.device_config["device"])
board.restart()  # else it would try again at once, with a heap in pieces

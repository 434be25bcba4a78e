"""A provisioning server in memory: version 2 as point.host.protocol_server has it."""

import fakes

from point import seal
from point.host import protocol_server

KEY = bytes(range(32))
IMEI = "490154203237518"
DATA = {"imei": IMEI, "productKey": "a1B2"}
URL = "https://p.example.com/v1/access"
TRUST = {"ca": b"ca"}
_IV = bytes(range(16))


class PowerCut(Exception):
    """Nothing of ours catches this: the board is off."""


def refusal(code, **more):
    """A reply that refuses, as a function of the script."""
    status = "%d x" % protocol_server.http_status(code)
    return lambda request: fakes.http(
        protocol_server.encode_reply(code, **more), status
    )


def lost(request):
    """The request arrived, the reply does not."""
    return b""


def power_cut(request):
    """The board dies before it has the reply."""
    raise PowerCut


class Server:
    """What a fakes.Board connects to: each write is a request, and gets its reply.

    Each request for credentials takes a function from `script`, each acknowledgement
    one from `ack_script`; after them the server is honest. What it saw is in `asked`
    and `acknowledged`, and in order with what others write there in `events`.
    """

    def __init__(self, key=KEY):
        self.key = key
        self.script = []
        self.ack_script = []
        self.asked = []
        self.acknowledged = []
        self.events = []
        self.issued = {}
        self.spent = []

    def __call__(self, written):
        head, body = written.split(b"\r\n\r\n")
        request = protocol_server.decode_request(body)
        if request["ack"] is None:
            self.events.append("asked")
            self.asked.append(request)
            script = self.script
        else:
            self.events.append("acknowledged")
            self.acknowledged.append(request["requestId"])
            script = self.ack_script
        answer = script.pop(0) if script else self.honest
        before = self.honest(request) if answer is lost else None
        return answer(request) if before is None else b""

    def ids(self):
        """The request ids in the order they were asked with."""
        return [request["requestId"] for request in self.asked]

    def sign(self, kind, request):
        """What `request` has to be signed with."""
        time = request["time"] if kind == "" else 0
        names = request["imei"], request["productKey"], request["requestId"]
        return seal.sign(self.key, kind, *(names + (time,)))

    def config(self, request_id):
        """The credentials of this request id: the same ones each time."""
        config = fakes.config()
        config["device"]["deviceSecret"] = "secret-of-" + request_id
        return self.issued.setdefault(request_id, config)

    def honest(self, request):
        """What a server ought to answer."""
        request_id = request["requestId"]
        if request["ack"] is not None:
            if request["ack"] != self.sign("ack", request):
                return refusal("40101")(request)
            self.spent.append(request_id)
            return fakes.http(protocol_server.encode_reply("00000"))
        if request["sign"] != self.sign("", request):
            return refusal("40101")(request)
        if request_id in self.spent:
            return refusal("40102")(request)
        return self.sealed(request, self.key)

    def sealed(self, request, key):
        """The credentials, sealed with `key`."""
        config = self.config(request["requestId"])
        return fakes.http(
            protocol_server.encode_sealed_reply(config, key, request["requestId"], _IV)
        )

    def clear(self, request):
        """The credentials as a server of version 1 gives them."""
        config = self.config(request["requestId"])
        return fakes.http(protocol_server.encode_reply("00000", config))

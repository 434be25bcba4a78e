"""Gizwits' older cloud: a device registers with a passcode that it makes up.

All is encrypted under the product secret. It may register again, and its did stays.
"""

from .. import credentials, https
from . import form, login

URL = "https://api.gizwits.com"
AUTH = "gizwits-classic"
FIELD = "deviceSecret"


def find(ask, access, product_key):
    """(passcode, the cloud's form with did, address and port)."""
    secret = access.identity["productSecret"]
    path = "/dev/%s/device" % product_key

    def asked(path, body=None):
        reply = ask(path, body, https.FORM)
        return form.parse(form.opened(secret, reply))

    passcode = login.letters(access.random)
    names = login.bare(access.identity["deviceName"]), passcode
    data = form.sealed(secret, "mac=%s&passcode=%s&type=normal" % names)
    did = credentials.word("did", asked(path, b"data=" + data.encode()).get("did"))
    found = asked(path + "?did=" + form.sealed(secret, did))
    found["did"], found["address"] = did, found.get("host")
    return passcode, found

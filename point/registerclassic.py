"""Gizwits' older cloud: a device registers with a passcode that it makes up.

All is encrypted under the product secret. It may register again, and its did stays.
"""

from . import credentials, gizwits, gizwitsform, https

URL = "https://api.gizwits.com"
AUTH = "gizwits-classic"
FIELD = "deviceSecret"


def find(ask, access, product_key):
    """(passcode, the cloud's form with did, address and port)."""
    secret = access.registration["productSecret"]
    path = "/dev/%s/device" % product_key

    def asked(path, body=None):
        reply = ask(path, body, https.FORM)
        return gizwitsform.parse(gizwitsform.opened(secret, reply))

    passcode = gizwits.letters(access.random)
    names = gizwits.bare(access.registration["deviceName"]), passcode
    data = gizwitsform.sealed(secret, "mac=%s&passcode=%s&type=normal" % names)
    did = credentials.word("did", asked(path, b"data=" + data.encode()).get("did"))
    form = asked(path + "?did=" + gizwitsform.sealed(secret, did))
    form["did"], form["address"] = did, form.get("host")
    return passcode, form

"""The access point that a module dials, by dataCall of either age."""

import dataCall

from point.compat import json
from point.errors import SETTING, PointError

_KEPT = "/usr/user_apn.json"  # setApn() writes it, the module's start reads it
_AUTH = ("none", "pap", "chap")


def _words(options):
    """(pdp, name, user, password, number of auth), as dataCall wants them."""
    found = [options.get(name, "") for name in ("apn", "user", "password")]
    return (options["pdp"],) + tuple(found) + (_AUTH.index(options["auth"]),)


def dial(options):
    """Ask for a data call; it is up some seconds later, or not at all."""
    pdp, name, user, password, auth = _words(options)
    if hasattr(dataCall, "activate"):
        dataCall.activate(pdp)
    else:
        dataCall.start(pdp, 0, name, user, password, auth)


def set_apn(options):
    """Have the module dial as board.json's `options` say. Raises PointError(SETTING).

    It keeps that. Nothing is written to flash that is there already.
    """
    pdp, name, user, password, auth = _words(options)
    try:
        if hasattr(dataCall, "setPDPContext"):
            if tuple(dataCall.getPDPContext(pdp)) == (0, name, user, password, auth):
                return
            done = dataCall.setPDPContext(pdp, 0, name, user, password, auth)
            dial(options)
        elif _kept(_KEPT) == (str(pdp), name, user, password, str(auth)):
            return
        else:
            done = dataCall.setApn(pdp, 0, name, user, password, auth)
    except ValueError:  # longer than this firmware takes
        done = -1
    if done != 0:
        raise PointError(SETTING, "board.json: the module refuses the APN")


def _kept(path):
    """What setApn() has left for the module's next start, None if nothing."""
    try:
        with open(path) as file:
            kept = json.loads(file.read())
        names = ("pdp", "apn", "user", "password", "authtype")
        return tuple(str(kept[name]) for name in names)
    except (OSError, ValueError, KeyError, TypeError):
        return None

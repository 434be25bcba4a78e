"""QuecPython's `dataCall`: -1 (old) or all zero (new) while there is no call."""

import vm


def getInfo(profileID, ipType):
    up = vm.SCRIPT["call"]
    if not up:
        return -1 if vm.OLD else (0, 0, [0, 0, "", "", ""])
    return (profileID, ipType, [1, 0, "10.91.44.177", "58.242.2.2", "218.104.78.2"])


def _dialled():
    if vm.SCRIPT["cured"] == "dial":
        vm.SCRIPT["call"] = 1
    return 0


def _checked(profileID, apn, username, password):
    vm.happened("apn %d %s %s %s" % (profileID, apn, username, password))
    if len(username) > 15 or len(password) > 15 or len(apn) > 63:
        raise ValueError("invalid value")
    return -1 if vm.SCRIPT["apnFails"] else _dialled()


if vm.OLD:

    def start(profileidx, iptype, apn, username, password, authtype):
        vm.happened("dial %d %s" % (profileidx, apn))
        return _dialled()

    def setApn(profileidx, iptype, apn, username, password, authtype):
        """Dials, and has the module dial so from now on."""
        return _checked(profileidx, apn, username, password)

else:
    _context = [0, "", "", "", 0]

    def activate(profileID):
        vm.happened("dial %d" % profileID)
        return _dialled()

    def getPDPContext(profileID):
        return tuple(_context)

    def setPDPContext(profileID, ipType, apn, username, password, authType):
        done = _checked(profileID, apn, username, password)
        if done == 0:
            _context[:] = [ipType, apn, username, password, authType]
        return done

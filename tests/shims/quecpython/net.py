"""QuecPython's `net`: registration, the network's time, the radio's switch."""

import vm


def getState():
    state = vm.SCRIPT["network"]
    if state is None:
        return -1
    cell = [state, 0, 0, 0, 0, 0]
    return (cell, cell[:])


def nitzTime():
    seconds = vm.SCRIPT["nitz"]
    return -1 if seconds is None else ("26/11/22 08:30:12 32 0", seconds, 18)


def csqQueryPoll():
    return 23


def setModemFun(fun):
    vm.happened("setModemFun %d" % fun)
    if fun == 1 and vm.SCRIPT["cured"] == "radio":
        vm.SCRIPT["network"] = vm.SCRIPT["call"] = 1
    return 0

"""QuecPython's `checkNet`, under the names of its three ages."""

import dataCall
import net
import sim
import utime
import vm


def _wait(timeout_s):
    """(stage, state): 1 the card, 2 the network, 3 the data call; (3, 1) is ready.

    Without a card older firmware does not wait at all.
    """
    if type(timeout_s) is not int or not 1 <= timeout_s <= 3600:
        raise OSError("timeout_s should be in [1, 3600]s!")
    until = utime.ticks_add(utime.ticks_ms(), int(timeout_s * 1000 * vm.SCRIPT["pace"]))
    while True:
        stage = _stage()
        no_card = stage == (1, 0) and vm.OLD
        if stage == (3, 1) or no_card:
            return stage
        if utime.ticks_diff(until, utime.ticks_ms()) <= 0:
            return stage
        utime.sleep_ms(100)


def _stage():
    if sim.getStatus() != 1:
        return 1, sim.getStatus()
    state = net.getState()
    if state == -1 or state[1][0] not in (1, 5):
        return 2, -1 if state == -1 else state[1][0]
    info = dataCall.getInfo(1, 0)
    return 3, 1 if info != -1 and info[2][0] == 1 else 0


if vm.SCRIPT["checkNet"] == "class":

    class CheckNetwork:
        def __init__(self, proj_name, proj_version):
            self.PROJECT_NAME = proj_name
            self.PROJECT_VERSION = proj_version

        def wait_network_connected(self, timeout_s=60):
            return _wait(timeout_s)

elif vm.SCRIPT["checkNet"] == "module":
    wait_network_connected = _wait
else:
    waitNetworkReady = _wait

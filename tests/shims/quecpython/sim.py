"""QuecPython's `sim`: 1 is ready, 0 is no card."""

import vm


def getStatus():
    return vm.SCRIPT["sim"]

"""QuecPython's `misc`: power."""

import vm


class Power:
    @staticmethod
    def powerRestart():
        vm.happened("powerRestart")
        raise SystemExit

    @staticmethod
    def powerOnReason():
        return 1

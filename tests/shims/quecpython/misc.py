"""QuecPython's `misc`: power, and its analogue inputs."""

import vm


class Power:
    @staticmethod
    def powerRestart():
        vm.happened("powerRestart")
        raise SystemExit

    @staticmethod
    def powerOnReason():
        return 1


class ADC:
    ADC0 = 0
    ADC1 = 1

    def open(self):
        return 0

    def read(self, channel):
        """Millivolts, or -1."""
        return vm.SCRIPT["adcMv"]

    def close(self):
        return 0

"""What is measured: a voltage at a pin. Only this file knows the chip."""

import machine

from point.compat import const

_PIN = const(34)  # one of ADC1: ADC2 does not work beside Wi-Fi


def millivolts():
    """The voltage at the pin, 150 to 2450 mV by the data sheet."""
    adc = machine.ADC(machine.Pin(_PIN), atten=machine.ADC.ATTN_11DB)
    return adc.read_uv() // 1000

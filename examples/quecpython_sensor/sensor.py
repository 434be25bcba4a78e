"""What is measured: a voltage at an analogue input. Only this file knows the module."""

from misc import ADC


def millivolts():
    """The voltage at ADC0, 0 to 1300 mV on most modules; -1 if it cannot be read."""
    adc = ADC()
    adc.open()
    try:
        return adc.read(ADC.ADC0)
    finally:
        adc.close()

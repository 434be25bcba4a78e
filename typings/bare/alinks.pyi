from tests.device.alinks import *

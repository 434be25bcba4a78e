from tests.device.fakes import *

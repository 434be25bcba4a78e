from tests.device.cloud import *

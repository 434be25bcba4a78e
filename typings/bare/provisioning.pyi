from tests.device.provisioning import *

from tests.host.preauth import *

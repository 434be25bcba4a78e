from tests.host.serving import *

from tests.host.browsing import *

from tests.host.staff import *

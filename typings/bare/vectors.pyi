from tests.host.vectors import *

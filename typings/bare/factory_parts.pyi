from tests.host.factory_parts import *

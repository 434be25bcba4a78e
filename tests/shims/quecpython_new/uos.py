"""`uos` of the newer port: as the runtime's, but it has no urandom()."""

import vm

_os = vm.os
for _name in dir(_os):
    if _name != "urandom" and _name[:2] != "__":
        globals()[_name] = getattr(_os, _name)

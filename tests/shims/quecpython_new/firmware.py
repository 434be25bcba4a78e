"""Makes the runtime what the port to MicroPython 1.28 is. Import it before all else.

Most modules answer to both names; uos has no urandom.
"""

import sys

_HERE = __file__.rsplit("/", 1)[0]
sys.path.insert(0, _HERE + "/../quecpython")

import vm  # noqa: E402

vm.plant("new", ("utime", "usocket", "ussl", "uos"))

if vm.MICROPYTHON:
    for _name in ("time", "socket", "ssl", "os"):
        sys.modules[_name] = sys.modules["u" + _name]

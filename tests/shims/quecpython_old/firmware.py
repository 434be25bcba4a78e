"""Makes the runtime what MicroPython 1.13 on a module is. Import it before all else.

There are only u-names: plain ones are files that fail to import (unames/), and where
the VM would not let a file stand in for a name (sys, tls), an object that has nothing.
On CPython, whose own library needs them, plain names stay.
"""

import sys

_HERE = __file__.rsplit("/", 1)[0]
sys.path.insert(0, _HERE + "/../quecpython")

import vm  # noqa: E402

vm.plant("old", ("utime", "usocket", "ussl"))


class _Nothing:
    """What `import` gives for a name that the firmware does not have."""


if vm.MICROPYTHON:
    sys.path.insert(0, _HERE + "/unames")
    for _name in ("sys", "tls"):
        sys.modules[_name] = _Nothing()

"""Makes MicroPython what a module's firmware is; imported before everything else.

What of the shims stands in for a name that MicroPython keeps to itself (it takes ufoo
for its own foo) is put there. Where the firmware is old, plain names fail to import, by
the files of quecpython_unames/; sys and tls, which no file can stand in for, are empty.
CPython's own library needs the plain names, so there nothing is done.
"""

import sys

_HERE = __file__.rsplit("/", 1)[0]
_KEPT = ("uos", "usocket", "utime")


class _Source:
    """A file's names as a module's."""

    def __init__(self, path):
        self._names = {"__name__": path}
        with open(path) as file:
            exec(compile(file.read(), path, "exec"), self._names)

    def __getattr__(self, name):
        if name in self._names:
            return self._names[name]
        raise AttributeError(name)


class _Nothing:
    """What `import` gives for a name that the firmware does not have."""


def _found(name):
    for folder in sys.path:
        try:
            open(folder + "/" + name + ".py").close()
            return folder + "/" + name + ".py"
        except OSError:
            pass


def _become():
    from age import OLD

    for name in _KEPT:
        path = _found(name)
        if path:
            sys.modules[name] = _Source(path)
            if not OLD:
                sys.modules[name[1:]] = sys.modules[name]
    if OLD:
        sys.path.insert(0, _HERE + "/../quecpython_unames")
        for name in ("sys", "tls"):
            sys.modules[name] = _Nothing()


if sys.implementation.name == "micropython":
    _become()

"""The firmware's own modules: stand-ins, and what the runtime has that the board lacks.

All are loaded before the first program, as if they were frozen: what a board has does
not come from a folder that it can list, or from the flash.
"""

import os
import sys
from collections import namedtuple

import micropython
from flash import HOST

_OURS = "point"  # stand-ins have their own, of the checkout


class _Module:
    """A module of this runtime with some names as the board has them."""

    def __init__(self, module, names):
        self._module = module
        for name in names:
            setattr(self, name, names[name])

    def __getattr__(self, name):
        return getattr(self._module, name)


class _Source:
    """A stand-in called as what the runtime has itself: no path leads to usocket.py."""

    def __init__(self, path):
        self._names = {"__name__": path}
        with open(path) as file:
            exec(compile(file.read(), path, "exec"), self._names)

    def __getattr__(self, name):
        if name in self._names:
            return self._names[name]
        raise AttributeError(name)


def _load(paths, standins):
    """Import stand-ins: (name, file), or no file where the path leads to it."""
    sys.path[:] = [HOST + path for path in paths]
    for name, file in standins:
        if file:
            sys.modules[name] = _Source(HOST + file)
        else:
            __import__(name)
    for name in list(sys.modules):
        if name.split(".")[0] == _OURS:
            sys.modules.pop(name)


def _set(path, value):
    """misc.Power.powerRestart = value."""
    parts = path.split(".")
    owner = sys.modules[parts[0]]
    for part in parts[1:-1]:
        owner = getattr(owner, part)
    setattr(owner, parts[-1], value)


def replace(setup, hard_reset, kbd_intr):
    """From now on programs see the modules that the board has."""
    _load(setup["paths"], setup["standins"])
    for name in ("run", "flash", "firmware"):
        sys.modules.pop(name, None)
    if setup["resets"].split(".")[0] in sys.modules:
        _set(setup["resets"], hard_reset)
    names = {"platform": setup["platform"]}
    if setup["version"]:
        made = namedtuple("implementation", ("name", "version", "mpy"))
        names["implementation"] = made("micropython", tuple(setup["version"]), 5)
    for name, real, ours in (
        ("micropython", micropython, {"kbd_intr": kbd_intr}),
        ("sys", sys, names),
        ("os", os, {"uname": lambda: tuple(setup["uname"])}),
    ):
        module = _Module(real, ours)
        for each in (name, "u" + name):
            if each not in sys.modules and each not in setup["hidden"]:
                sys.modules[each] = module
    # Of modules that the board lacks the path finds one that says so.
    sys.path[:] = setup["path"]
    if setup["hidden"]:
        sys.path.append(HOST + setup["nothing"])

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


class _Nothing:
    """What is found for a name that the board does not have."""


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


def _really(path, hard_reset):
    """Have machine.reset, or misc.Power.powerRestart, end this process."""
    parts = path.split(".")
    owner = sys.modules[parts[0]]
    for part in parts[1:-1]:
        owner = getattr(owner, part)
    standin = getattr(owner, parts[-1])

    def reset(*_):
        try:
            standin()
        except SystemExit:
            pass
        hard_reset()

    setattr(owner, parts[-1], reset)


def replace(setup, hard_reset, kbd_intr):
    """From now on programs see the modules that the board has."""
    _load(setup["paths"], setup["standins"])
    for name in ("run", "flash", "firmware"):
        sys.modules.pop(name, None)
    if setup["resets"]:
        _really(setup["resets"], hard_reset)
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
            if each not in sys.modules or each == name:
                sys.modules[each] = module
    sys.path[:] = setup["path"]
    if setup["lacks"]:
        sys.path.append(HOST + setup["lacks"])
        for name in ("os", "time", "socket"):  # as stand-ins have imported them
            sys.modules.pop(name, None)
        for name in ("sys", "tls"):  # which no file can stand in for
            sys.modules[name] = _Nothing()

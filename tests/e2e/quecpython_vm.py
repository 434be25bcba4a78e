"""Boots a QuecPython module: its firmware is the shims, its flash the folder "usr".

Run by MicroPython in a folder that holds usr, with MICROPYPATH naming the shims, and
BEFORE with what has to be done once /usr/main.py can be imported.
"""

import os
import sys

import vfs

shims = [path for path in os.getenv("MICROPYPATH").split(":") if path]
flash = vfs.VfsPosix(os.getcwd() + "/usr")
before = os.getenv("BEFORE") or ""
sys.path[:] = shims
__import__("quecpython")
vfs.mount(flash, "/usr")
# As on a module, but for the shims: its firmware comes from no folder.
sys.path.insert(0, "")
os.chdir("/")
exec(before)
with open("/usr/main.py") as file:
    program = file.read()
del vfs, flash, os, sys
exec(compile(program, "/usr/main.py", "exec"), {"__name__": "__main__"})

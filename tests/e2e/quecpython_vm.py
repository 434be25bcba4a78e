"""Boots a QuecPython module: its firmware is the shims, its flash the folder "usr".

Run by MicroPython in a folder that holds usr, with MICROPYPATH naming the shims. With
STACK it runs in a thread that has so many bytes of stack.
"""

import os
import sys

import vfs

shims = [path for path in os.getenv("MICROPYPATH").split(":") if path]
flash = vfs.VfsPosix(os.getcwd() + "/usr")
sys.path[:] = shims
__import__("quecpython")
vfs.mount(flash, "/usr")
# As on a module, but for the shims: its firmware comes from no folder.
sys.path.insert(0, "")
os.chdir("/")


def boot():
    with open("/usr/main.py") as file:
        program = file.read()
    exec(compile(program, "/usr/main.py", "exec"), {"__name__": "__main__"})


stack = int(os.getenv("STACK") or 0)
if stack:
    import _thread

    import utime

    _thread.stack_size(stack)
    _thread.start_new_thread(boot, ())
    while True:
        utime.sleep(1)
boot()

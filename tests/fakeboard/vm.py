"""What runs inside the MicroPython of a fake board: its flash, and its programs.

The bridge (board.py) owns the REPL. It sends orders on one pipe and hears reports on
another; each report is acknowledged, so what a program printed before it is out first.
"""

import io
import json
import micropython
import os
import sys
import vfs

HOST = "/.host"  # this machine's files, for stand-ins of the firmware; never listed
SETUP = json.loads(os.getenv("FAKEBOARD"))
ORDERS = open(SETUP["orders"], "rb")
REPORTS = open(SETUP["reports"], "wb")
ENOSPC = 28
FOLDER = 0x4000


class Flash:
    """A folder of this machine as the board's whole file system, of limited size."""

    def __init__(self, root, size):
        self.flash = vfs.VfsPosix(root)
        self.host = vfs.VfsPosix("/")
        self.size = size

    def _owner(self, path):
        path = path or "."  # as on a chip; here the host would say that there is none
        if path.startswith(HOST + "/"):
            return self.host, path[len(HOST) :]
        return self.flash, path

    def _used(self, folder="/"):
        total = 0
        for name, kind, _ in self.flash.ilistdir(folder):
            if kind == FOLDER:
                total += self._used(folder + name + "/")
            else:
                total += self.flash.stat(folder + name)[6]
        return total

    def room(self):
        return max(0, self.size - self._used())

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def open(self, path, mode):
        owner, path = self._owner(path)
        file = owner.open(path, mode)
        if owner is self.flash and ("w" in mode or "a" in mode or "+" in mode):
            return Written(file, self)
        return file

    def ilistdir(self, path):
        owner, path = self._owner(path)
        for entry in owner.ilistdir(path):  # with sizes, as littlefs has them
            yield entry[:3] + (owner.stat(path + "/" + entry[0])[6],)

    def stat(self, path):
        owner, path = self._owner(path)
        return owner.stat(path)

    def statvfs(self, path):
        free = self.room() // 4096
        return (4096, 4096, self.size // 4096, free, free, 0, 0, 0, 0, 255)

    def chdir(self, path):
        self.flash.chdir(path)

    def getcwd(self):
        return self.flash.getcwd()

    def mkdir(self, path):
        self.flash.mkdir(path)

    def remove(self, path):
        self.flash.remove(path)

    def rename(self, old, new):
        self.flash.rename(old, new)

    def rmdir(self, path):
        self.flash.rmdir(path)


class Written(io.IOBase):
    """A file that finds the flash full once it is."""

    def __init__(self, file, flash):
        self.file = file
        self.flash = flash

    def write(self, data):
        if isinstance(data, str):
            data = data.encode()
        room = self.flash.room()
        if len(data) > room:
            self.file.write(data[:room])
            raise OSError(ENOSPC)
        return self.file.write(data)

    def ioctl(self, request, argument):
        if request == 4:  # close
            self.file.close()
        return 0

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


class Module:
    """A module of the firmware with some names put right for the board."""

    def __init__(self, module, **names):
        self._module = module
        for name in names:
            setattr(self, name, names[name])

    def __getattr__(self, name):
        return getattr(self._module, name)


def report(letter):
    """Tell the bridge, and wait until it has heard. A late Ctrl-C changes nothing."""
    told = heard = None
    while not heard:
        try:
            if not told:
                told = REPORTS.write(letter)
            heard = ORDERS.read(1)
            if heard == b"":
                raise SystemExit  # the bridge is gone
        except KeyboardInterrupt:
            pass


def settle():
    """Let a Ctrl-C that came late be raised here, where nobody minds."""
    try:
        for _ in range(100):
            pass
    except KeyboardInterrupt:
        pass


def hard_reset(*_):
    """What machine.reset() is: the bridge ends this process and starts another."""
    report(b"r")
    while ORDERS.read(1):
        pass


def kbd_intr(character):
    """micropython.kbd_intr: -1 while bytes, not text, go over the line."""
    report(b"n" if character < 0 else b"i")


def traced(error):
    """The traceback as a board prints it: without the frames of this file."""
    text = io.StringIO()
    sys.print_exception(error, text)
    lines = text.getvalue().split("\n")
    return "\n".join([line for line in lines if '/vm.py", line' not in line])


def run(how, text):
    """Compile and run a program; its SystemExit asks for a soft reset."""
    error = None
    try:
        try:
            report(b"b")
            if how == "file":
                name = text
                with open(name) as file:
                    text, how = file.read(), "exec"
            else:
                name = "<stdin>"
            exec(compile(text, name, how), NAMES)
        except BaseException as raised:
            error = raised
    except KeyboardInterrupt as late:
        error = error or late
    ended = b"d"
    if isinstance(error, SystemExit):
        ended = b"x"
    elif error:
        report(b"e")
        settle()
        print(traced(error), end="")
    report(ended)
    settle()


def serve():
    """Do as the bridge says until it is gone: 'exec 12', then so many bytes."""
    report(b"u")
    while True:
        order = ORDERS.readline().split()
        if not order:
            return
        run(order[0].decode(), ORDERS.read(int(order[1])).decode())


def firmware():
    """Put the stand-ins for the firmware's own modules where programs import them."""
    sys.path.clear()
    sys.path.append("")
    sys.path.extend([HOST + path for path in SETUP["firmware"]] + [".frozen", "/lib"])
    import machine

    sys.modules["machine"] = Module(machine, reset=hard_reset, soft_reset=sys.exit)
    sys.modules["micropython"] = Module(micropython, kbd_intr=kbd_intr)
    sys.modules["sys"] = Module(sys, platform=SETUP["platform"])
    sys.modules["os"] = Module(os, uname=lambda: tuple(SETUP["uname"]))


NAMES = {"__name__": "__main__"}
vfs.umount("/")
vfs.mount(Flash(SETUP["flash"], SETUP["size"]), "/")
os.chdir("/")
firmware()
serve()

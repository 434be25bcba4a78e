"""A folder of this machine as the flash of a board, and as much of it as a chip has."""

import io
import os

import vfs

HOST = "/.host"  # this machine's files, for stand-ins of the firmware; never listed
_ENOSPC = 28
_FOLDER = 0x4000
_BLOCK = 4096


class Flash:
    """A folder of this machine as the board's whole file system, of limited size."""

    def __init__(self, root, size):
        self.root = root
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
            if kind == _FOLDER:
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
            size = owner.stat(path + "/" + entry[0])[6]
            yield (entry[0], entry[1], entry[2], size)

    def stat(self, path):
        owner, path = self._owner(path)
        return owner.stat(path)

    def statvfs(self, path):
        free = self.room() // _BLOCK
        return (_BLOCK, _BLOCK, self.size // _BLOCK, free, free, 0, 0, 0, 0, 255)

    def chdir(self, path):
        self.flash.chdir(path)

    def getcwd(self):
        return self.flash.getcwd()

    def mkdir(self, path):
        self.flash.mkdir(path)

    def remove(self, path):
        self.flash.remove(path)

    def rename(self, old, new):
        # Under a root of its own VfsPosix makes one path of the two.
        paths = [self.root + self._absolute(path) for path in (old, new)]
        vfs.VfsPosix().rename(paths[0], paths[1])

    def _absolute(self, path):
        return path if path.startswith("/") else self.getcwd().rstrip("/") + "/" + path

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
            raise OSError(_ENOSPC)
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


def mount(root, size):
    """Make the folder `root` the file system; it holds `size` bytes."""
    vfs.umount("/")
    vfs.mount(Flash(root, size), "/")
    os.chdir("/")

"""A flash chip in memory that remembers each write, under the VM's own file systems."""

import vfs

MOUNT = "/flash"
CLEAN = "clean"  # the write does not happen
TORN = "torn"  # the first half of it does
ERASED = "erased"  # its sector is erased, and nothing written: FAT on bare NOR


class Flash:
    """A block device. `log` holds (where, bytes) of each write and erasure.

    With the power off nothing is written any more, and nobody is told.
    """

    def __init__(self, block_size, blocks, image=None):
        self.block_size = block_size
        self.blocks = blocks
        self.image = bytearray(image or b"\xff" * (block_size * blocks))
        self.log = []
        self.power_for = None  # so many more writes, None: without end

    def readblocks(self, block, buffer, offset=0):
        start = block * self.block_size + offset
        buffer[:] = memoryview(self.image)[start : start + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        self.write(block * self.block_size + offset, bytes(buffer))

    def write(self, start, data):
        if self.power_for is not None:
            if not self.power_for:
                return
            self.power_for -= 1
        self.log.append((start, data))
        self.image[start : start + len(data)] = data

    def ioctl(self, request, argument):
        if request == 4:
            return self.blocks
        if request == 5:
            return self.block_size
        if request == 6:
            self.write(argument * self.block_size, b"\xff" * self.block_size)
        return 0


# FAT formats no fewer than 50, littlefs needs some to move about in.
_BLOCKS = {"lfs2-512": 48, "lfs2-4096": 12, "fat-512": 96, "fat-4096": 52}


class Kind:
    """A file system on a chip with blocks of one size."""

    def __init__(self, name):
        fs, size = name.split("-")
        self.name = name
        self.system = vfs.VfsFat if fs == "fat" else vfs.VfsLfs2
        self.block_size = int(size)
        self.blocks = _BLOCKS[name]
        self.tears = (TORN, ERASED) if fs == "fat" else (TORN,)

    def flash(self, image=None):
        return Flash(self.block_size, self.blocks, image)

    def formatted(self):
        flash = self.flash()
        self.system.mkfs(flash)
        return bytes(flash.image)

    def mount(self, flash):
        vfs.mount(self.system(flash), MOUNT)


def unmount():
    vfs.umount(MOUNT)


def cuts(flash, before, tears):
    """Every image that a power cut can leave behind while `flash` goes from the image
    `before` through its log: (number of the write, how it was cut, image)."""
    work = bytearray(before)
    for number, (start, data) in enumerate(flash.log):
        yield number, CLEAN, work
        end = start + len(data)
        kept = work[start:end]
        for tear in tears:
            half = len(data) // 2
            if tear == TORN:
                work[start : start + half] = data[:half]
            else:
                work[start:end] = b"\xff" * len(data)
            yield number, tear, work
            work[start:end] = kept
        work[start:end] = data
    yield len(flash.log), CLEAN, work

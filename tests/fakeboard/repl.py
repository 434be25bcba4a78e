"""MicroPython's REPL, friendly and raw: bytes in, bytes out, and nothing else."""

from dataclasses import dataclass

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = range(1, 6)
RETURN, NEWLINE, BACKSPACE, DELETE = 13, 10, 8, 127
_WINDOW = 128  # bytes of raw paste that a board accepts before it asks for more
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
PASTE_BANNER = b"paste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== "


@dataclass(frozen=True)
class Program:
    """A program that was typed; `how` is compile()'s third argument."""

    how: str
    source: bytes


class SoftReset:
    """The request by Ctrl-D on an empty line."""


class Repl:
    """Handles what is typed while no program runs."""

    def __init__(self, banner: bytes, *, raw_paste: bool) -> None:
        self.raw = False
        self._banner = banner
        self._raw_paste = raw_paste  # the firmware supports it
        self._window: int | None = (
            None  # in raw paste: how many bytes fit before the next \x01
        )
        self._line = bytearray()
        self._block = bytearray()  # lines of a compound statement, or pasted ones
        self._pasting = False

    def greeting(self) -> bytes:
        """Return the text after boot.py and main.py, or after a change of the mode."""
        self._forget()
        return RAW_BANNER + b">" if self.raw else b"\r\n" + self._banner + b"\r\n>>> "

    def prompt(self) -> bytes:
        """Return the prompt after a program."""
        return b">" if self.raw else b">>> "

    def feed(self, byte: int) -> tuple[bytes, Program | SoftReset | None]:
        """Return the immediate answer to a byte, and what has to be done."""
        if self.raw:
            return self._feed_raw(byte)
        if self._pasting:
            return self._feed_paste(byte)
        return self._feed_friendly(byte)

    def _forget(self) -> None:
        self._line.clear()
        self._block.clear()
        self._pasting = False
        self._window = None

    def _switch(self, raw: bool) -> tuple[bytes, None]:
        self.raw = raw
        return self.greeting(), None

    def _feed_raw_paste(self, byte: int) -> tuple[bytes, Program | None]:
        assert self._window is not None
        if byte in (CTRL_C, CTRL_D):
            program = Program("exec", bytes(self._line))
            self._forget()
            return b"\x04", program if byte == CTRL_D else Program("exec", b"")
        self._line.append(byte)
        self._window -= 1
        if self._window:
            return b"", None
        self._window = _WINDOW
        return b"\x01", None

    def _feed_raw(self, byte: int) -> tuple[bytes, Program | SoftReset | None]:
        if self._window is not None:
            return self._feed_raw_paste(byte)
        if byte == CTRL_A:
            if self._raw_paste and self._line == b"\x05A":
                self._line.clear()
                self._window = _WINDOW
                return b"R\x01" + _WINDOW.to_bytes(2, "little") + b"\x01", None
            return self._switch(True)
        if byte == CTRL_B:
            return self._switch(False)
        if byte == CTRL_C:
            self._line.clear()
        elif byte == CTRL_D:
            source = bytes(self._line)
            self._line.clear()
            if source:
                return b"OK", Program("exec", source)
            return b"OK\r\n", SoftReset()
        else:
            self._line.append(byte)
        return b"", None

    def _feed_paste(self, byte: int) -> tuple[bytes, Program | SoftReset | None]:
        if byte == CTRL_C:
            self._forget()
            return b"\r\n>>> ", None
        if byte == CTRL_D:
            program = Program("exec", bytes(self._block))
            self._forget()
            return b"\r\n", program
        if byte == RETURN:
            self._block.append(NEWLINE)
            return b"\r\n=== ", None
        self._block.append(byte)
        return bytes([byte]), None

    def _feed_friendly(self, byte: int) -> tuple[bytes, Program | SoftReset | None]:
        empty = not self._line and not self._block
        if byte == CTRL_A and empty:
            return self._switch(True)
        if byte == CTRL_B:
            return self._switch(False)
        if byte == CTRL_C:
            self._forget()
            return b"\r\n>>> ", None
        if byte == CTRL_D and empty:
            return b"\r\n", SoftReset()
        if byte == CTRL_E and empty:
            self._pasting = True
            return b"\r\n" + PASTE_BANNER, None
        if byte == RETURN:
            return self._entered()
        if byte in (BACKSPACE, DELETE):
            if not self._line:
                return b"", None
            self._line.pop()
            return b"\b \b", None
        if byte < 32:
            return b"", None  # cursor keys and the like are ignored
        self._line.append(byte)
        return bytes([byte]), None

    def _entered(self) -> tuple[bytes, Program | None]:
        """Run a finished line, unless more lines of a compound statement follow."""
        line = bytes(self._line)
        self._line.clear()
        compound = line.rstrip().endswith(b":") or line.startswith(b"@")
        if line.strip() and (compound or self._block):
            self._block += line + b"\n"
            depth = len(line) - len(line.lstrip()) + 4 * line.rstrip().endswith(b":")
            self._line += b" " * depth
            return b"\r\n... " + self._line, None
        source = bytes(self._block) + line + b"\n"
        self._block.clear()
        if not source.strip():
            return b"\r\n>>> ", None
        return b"\r\n", Program("single", source)

"""What a modem says, line by line (ITU-T V.250, 3GPP TS 27.007). No I/O, no clock.

Around the answer come echoes, unsolicited notices, and at boot noise: bytes
in, lines out, and from those a Reply takes what belongs to its command.
"""

from point.compat import const

_LONGEST = const(160)  # characters of a line; nothing that is asked for has more
_MOST = const(8)  # lines of an answer
_DIAL_ENDS = ("NO CARRIER", "NO DIALTONE", "NO DIAL TONE", "NO ANSWER", "BUSY")


class Lines:
    """Puts lines together, in whatever pieces they come."""

    def __init__(self):
        self._line = bytearray()

    def feed(self, data):
        """The lines that `data` completes: printable ASCII, cut at 160, none empty."""
        lines = []
        for byte in data:
            if 32 <= byte < 127:
                if len(self._line) < _LONGEST:
                    self._line.append(byte)
            elif byte in (10, 13) and self._line:
                lines.append(bytes(self._line).decode())
                self._line = bytearray()
        return lines


class Reply:
    """The answer to `command`.

    `name`: the command without what it is given, which may be secret. `lines`: what it
    asked for, without the prefix. `end`: "OK", "CONNECT…", or why not; None until then.
    """

    def __init__(self, command):
        name = command
        for mark in "=?":
            name = name.split(mark, 1)[0]
        self.name = name
        self.lines = []
        self.end = None
        self._text = Lines()
        self._bare = name == command  # then it may be answered without a prefix
        self._dials = name[:3] == "ATD" or name == "AT+CGDATA"

    def feed(self, data):
        """Take more of what the modem says. True when the answer is complete."""
        for line in self._text.feed(data):
            if self.end is None:
                self._add(line)
        return self.end is not None

    def _add(self, line):
        prefix = self.name[2:] + ":"
        if line in ("OK", "ERROR"):
            self.end = line
        elif line[:11] in ("+CME ERROR:", "+CMS ERROR:"):
            self.end = line[1:40]
        elif self._dials and (line[:7] == "CONNECT" or line in _DIAL_ENDS):
            # Elsewhere NO CARRIER is only the late end of an earlier connection.
            self.end = line
        elif len(self.lines) < _MOST:
            if line[: len(prefix)] == prefix:
                self.lines.append(line[len(prefix) :].strip())
            elif self._bare and line[:2] != "AT" and line[0] not in "+^*$%":
                self.lines.append(line)

    @property
    def well(self):
        """True if the command was carried out."""
        return self.end == "OK" or self._dials and self.end[:7] == "CONNECT"


def digits(line, count=15):
    """The first run of exactly so many digits in `line`, or None."""
    run = ""
    for char in line + " ":
        if "0" <= char <= "9":
            run += char
        elif len(run) == count:
            return run
        else:
            run = ""


def registration(lines):
    """The state in an answer to AT+CREG? and its like, or None.

    1 home, 5 roaming, 2 searching, 3 denied, 0 not even that (TS 27.007 §7.2).
    """
    for line in lines:
        # <n>,<stat>,…; a notice that came in between has <stat> alone, or <stat>,"…
        words = [word.strip() for word in line.split(",")]
        if len(words) > 1 and words[1].isdigit():
            words = words[1:]
        if words[0].isdigit() and len(words[0]) < 3:
            return int(words[0])


def clock(line):
    """Unix seconds of +CCLK's "yy/MM/dd,hh:mm:ss±zz", or None if it was never set.

    The time is local, zz its distance from UTC in quarters of an hour. A modem that
    knows no better says 1970, 1980 or 2000-something.
    """
    text = line.strip('" ')
    try:
        fields = [int(text[place : place + 2]) for place in (0, 3, 6, 9, 12, 15)]
        zone = int(text[17:] or 0)
    except ValueError:
        return None
    if text[2] + text[5] + text[8] + text[11] + text[14] != "//,::":
        return None
    bounds = ((24, 69), (1, 12), (1, 31), (0, 23), (0, 59), (0, 60))
    for place in range(6):
        if not bounds[place][0] <= fields[place] <= bounds[place][1]:
            return None
    if not -96 <= zone <= 96:
        return None
    fields[0] += 2000
    return unix(fields) - zone * 900


def unix(fields):
    """Unix seconds of (year, month, day, hour, minute, second) in UTC."""
    year, month, day, hour, minute, second = fields
    if month < 3:  # years that begin in March have their leap day last
        year -= 1
    days = 365 * year + year // 4 - year // 100 + year // 400
    days += (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    return ((days * 24 + hour) * 60 + minute) * 60 + second

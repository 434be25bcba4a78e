"""The part of a fake board inside MicroPython: it sets up the flash and runs programs.

The bridge (board.py) owns the REPL. It sends orders on one pipe and receives reports on
another. It acknowledges each report, so that the output before a report comes first.
"""

import io
import json
import os
import sys

import flash

import firmware

SETUP = json.loads(os.getenv("FAKEBOARD"))
ORDERS = open(SETUP["orders"], "rb")  # noqa: SIM115 - for life
REPORTS = open(SETUP["reports"], "wb")  # noqa: SIM115
ACK = 128  # and the number of the report
number = 0


def report(letter):
    """Tell the bridge, and wait until it has heard; whether Ctrl-C came meanwhile.

    A Ctrl-C may cost us what was just read, so all is said and answered by number.
    """
    global number
    number = number % 126 + 1
    late = False
    while True:
        try:
            REPORTS.write(letter + bytes([number]))
            while True:
                heard = ORDERS.read(1)
                if not heard:
                    raise SystemExit  # the bridge has ended
                if heard == b"\x03":
                    late = True  # it came before there was anything to interrupt
                if heard[0] == ACK + number:
                    return late
        except KeyboardInterrupt:
            late = True


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
    if character < 0:
        report(b"n")
    elif report(b"i"):
        raise KeyboardInterrupt


def traced(error):
    """The traceback as a board prints it: without our frames."""
    text = io.StringIO()
    sys.print_exception(error, text)
    lines = text.getvalue().split("\n")
    ours = ("/fakeboard/inside/", '"' + flash.HOST)
    return "\n".join([line for line in lines if not any(o in line for o in ours)])


def run(how, text):
    """Compile and run a program; its SystemExit asks for a soft reset."""
    error = None
    try:
        try:
            if report(b"b"):  # from here on Ctrl-C may come
                raise KeyboardInterrupt
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
    while True:
        REPORTS.write(b"w\x7f")  # waits; Ctrl-C comes no more
        order = ORDERS.readline()
        while order and order[0] >= ACK:  # of what was said twice
            order = order[1:]
        order = order.split()
        if not order:
            return
        run(order[0].decode(), ORDERS.read(int(order[1])).decode())


NAMES = {"__name__": "__main__"}
flash.mount(SETUP["flash"], SETUP["size"])
firmware.replace(SETUP, hard_reset, kbd_intr)
serve()

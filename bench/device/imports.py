"""Which modules of point/ a boot loads: none is let go, all are listed at the end."""

import builtins
import sys

from point import access, setup

say = print


def listen(*words):
    if "published" in words[0]:
        say("published", " ".join([n for n in sys.modules if n.startswith("point")]))
        sys.exit()
    say(*words)


def keep(*names):
    pass


access.provisioning.unload = setup.unload = keep
builtins.print = listen
import boot, main  # noqa: E401, E402, F401, I001

"""Which modules of point/ a boot loads: watched at each line that main.py prints."""

import builtins
import sys

loaded = []
say = print


def watch(*words):
    for name in sys.modules:
        if name.startswith("point") and name not in loaded:
            loaded.append(name)
    if "published" in words[0]:
        say("published", " ".join(loaded))
        sys.exit()
    say(*words)


builtins.print = watch
import boot, main  # noqa: E401, E402, F401, I001

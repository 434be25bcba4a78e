"""Run the device tests on whatever runtime this is, and exit 1 unless all is well.

micropython tests/run.py                 every tests/device/test_*.py
micropython tests/run.py path/test_x.py  those files only
"""
# ruff: noqa: B905, RUF005, UP031 - device dialect: MicroPython runs this

import gc
import os
import sys

TESTS = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
if TESTS[0] != "/":
    TESTS = os.getcwd() + "/" + TESTS  # tests may change the folder
ROOT = TESTS + "/.."


def prepare():
    """Let imports find the component, the tests, and what this runtime lacks."""
    folders = [
        TESTS + "/upy",
        TESTS + "/device",
        ROOT,
        ROOT + "/.cache/micropython-lib",
    ]
    if sys.implementation.name == "cpython":
        folders.append(TESTS + "/shims")
    sys.path[:] = folders + sys.path


def run_file(unittest, path):
    """The counts of one test file; a file that cannot be imported is one failure.

    What the file has to say in figures is in its REPORT, lines that are printed.
    """
    folder, name = path.rsplit("/", 1) if "/" in path else (".", path)
    sys.path.insert(0, folder)
    gc.collect()  # one VM runs them all
    try:
        module = __import__(name[:-3])
    except unittest.SkipTest as error:
        print("SKIP %s: %s" % (path, error))
        return [0, 0, 1]
    except Exception as error:
        print("FAIL " + path)
        unittest._show(error)
        return [0, 1, 0]
    finally:
        sys.path.remove(folder)  # a test may have put others before it
    counts = unittest.run(module)
    for line in getattr(module, "REPORT", ()):
        print("  " + line)
    if counts == [0, 0, 0]:
        print("FAIL %s has no test" % path)
        return [0, 1, 0]
    del sys.modules[name[:-3]]
    return counts


def main(paths):
    prepare()
    import unittest

    if not paths:
        names = sorted(os.listdir(TESTS + "/device"))
        paths = [TESTS + "/device/" + name for name in names]
        paths = [p for p in paths if "/test_" in p and p.endswith(".py")]
    total = [0, 0, 0]
    for path in paths:
        counts = run_file(unittest, path)
        total = [a + b for a, b in zip(total, counts)]
        name = path.rsplit("/", 1)[-1]
        print("%-24s %3d passed, %d failed, %d skipped" % tuple([name] + counts))
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 0 if total[0] and not total[1] else 1


sys.exit(main(sys.argv[1:]))

"""As much of unittest as the device tests use, for VMs that have none.

Debian's MicroPython comes without it, and upstream's main() exits 0 when a test fails.
Test files say `import unittest`: here, under CPython and under pytest the same.
"""

import sys


class SkipTest(Exception):
    """Raised to leave a test undone."""


def skip(reason):
    """Decorate a test that shall not run."""

    def decorate(test):
        def skipped(case):
            raise SkipTest(reason)

        return skipped

    return decorate


def skipIf(condition, reason):
    """Decorate a test that shall not run when `condition` holds."""
    return skip(reason) if condition else lambda test: test


def skipUnless(condition, reason):
    """Decorate a test that shall only run when `condition` holds."""
    return skipIf(not condition, reason)


class _Raises:
    def __init__(self, expected):
        self._expected = expected
        self.exception = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            raise AssertionError("nothing was raised")
        self.exception = error
        return issubclass(kind, self._expected)


class _Sub:
    def __init__(self, failures, label):
        self._failures = failures
        self._label = label

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None or issubclass(kind, SkipTest):
            return False
        if not issubclass(kind, Exception):
            return False
        self._failures.append((self._label, error))
        return True


class TestCase:
    """One test is one method whose name begins with test."""

    def setUp(self):
        pass

    def tearDown(self):
        pass

    def subTest(self, msg="", **params):
        """A part that may fail without ending the test."""
        return _Sub(self._failures, "%s %s" % (msg, params or ""))

    def skipTest(self, reason):
        raise SkipTest(reason)

    def fail(self, msg=None):
        raise AssertionError(msg or "failed")

    def _check(self, holds, text, msg):
        if not holds:
            raise AssertionError("%s: %s" % (msg, text) if msg else text)

    def assertEqual(self, first, second, msg=None):
        self._check(first == second, "%r is not %r" % (first, second), msg)

    def assertNotEqual(self, first, second, msg=None):
        self._check(first != second, "both are %r" % (first,), msg)

    def assertTrue(self, value, msg=None):
        self._check(value, "%r is not true" % (value,), msg)

    def assertFalse(self, value, msg=None):
        self._check(not value, "%r is not false" % (value,), msg)

    def assertIs(self, first, second, msg=None):
        self._check(first is second, "%r is another than %r" % (first, second), msg)

    def assertIsNot(self, first, second, msg=None):
        self._check(first is not second, "the same: %r" % (first,), msg)

    def assertIsNone(self, value, msg=None):
        self._check(value is None, "%r is not None" % (value,), msg)

    def assertIsNotNone(self, value, msg=None):
        self._check(value is not None, "it is None", msg)

    def assertIn(self, part, whole, msg=None):
        self._check(part in whole, "%r is not in %r" % (part, whole), msg)

    def assertNotIn(self, part, whole, msg=None):
        self._check(part not in whole, "%r is in %r" % (part, whole), msg)

    def assertIsInstance(self, value, kind, msg=None):
        self._check(isinstance(value, kind), "%r is no %s" % (value, kind), msg)

    def assertGreater(self, first, second, msg=None):
        self._check(first > second, "%r <= %r" % (first, second), msg)

    def assertGreaterEqual(self, first, second, msg=None):
        self._check(first >= second, "%r < %r" % (first, second), msg)

    def assertLess(self, first, second, msg=None):
        self._check(first < second, "%r >= %r" % (first, second), msg)

    def assertLessEqual(self, first, second, msg=None):
        self._check(first <= second, "%r > %r" % (first, second), msg)

    def assertRaises(self, expected, call=None, *arguments, **options):
        """A context manager, or with `call` the check itself."""
        if call is None:
            return _Raises(expected)
        with _Raises(expected):
            call(*arguments, **options)


def _cases(module):
    for name in sorted(dir(module)):
        case = getattr(module, name)
        if isinstance(case, type) and issubclass(case, TestCase):
            if case is not TestCase:
                yield case


def _run_one(case, name):
    """The failures of one test as (label, exception), None if it was skipped."""
    test = case()
    test._failures = []
    try:
        test.setUp()
        try:
            getattr(test, name)()
        finally:
            test.tearDown()
    except SkipTest:
        return None
    except Exception as error:
        test._failures.append(("", error))
    return test._failures


def _show(error):
    if hasattr(sys, "print_exception"):
        sys.print_exception(error)
    else:
        import traceback

        traceback.print_exception(error)


def run(module):
    """Run the tests of a module, return how many [passed, failed, were skipped]."""
    counts = [0, 0, 0]
    for case in _cases(module):
        for name in sorted(dir(case)):
            if not name.startswith("test"):
                continue
            failures = _run_one(case, name)
            if failures is None:
                counts[2] += 1
                continue
            counts[1 if failures else 0] += 1
            for label, error in failures:
                print("FAIL %s.%s %s" % (case.__name__, name, label))
                _show(error)
    return counts

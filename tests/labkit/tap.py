"""Test results as TAP, with a time limit for the whole file.

    with tap.Tests("first_mail", limit_s=60) as t:
        t.ok(value, "what is true")
        t.equal(got, wanted, "what is true")
"""

import os
import signal
import sys
import traceback

from .proc import LabError


class Tests:
    def __init__(self, name, limit_s=120):
        self.name = name
        self.limit_s = limit_s
        self.number = 0
        self.failed = 0

    def __enter__(self):
        def over(_signal, _frame):
            raise TimeoutError(f"{self.name}: not done within {self.limit_s} s")

        def ended(number, _frame):
            raise SystemExit(128 + number)

        signal.signal(signal.SIGALRM, over)
        # An interrupted test takes its lab down too.
        signal.signal(signal.SIGTERM, ended)
        signal.signal(signal.SIGHUP, ended)
        signal.alarm(self.limit_s)
        return self

    def __exit__(self, kind, error, trace):
        signal.alarm(0)
        if kind is None or issubclass(kind, Exception):
            if error is not None:
                text = error.report() if isinstance(error, LabError) else \
                    "".join(traceback.format_exception(kind, error, trace))
                self._result(False, f"{self.name} ran to its end", text)
            print(f"1..{self.number}", flush=True)
            sys.stdout.flush()
            sys.exit(1 if self.failed else 0)
        return False

    def _result(self, good, what, diagnosis=None):
        self.number += 1
        self.failed += not good
        what = what.replace("#", "\\#")
        print(f"{'ok' if good else 'not ok'} {self.number} - {what}", flush=True)
        if diagnosis and not good:
            for line in diagnosis.splitlines():
                print(f"# {line}", flush=True)
        return good

    def ok(self, value, what, diagnosis=None):
        return self._result(bool(value), what, diagnosis)

    def equal(self, got, wanted, what):
        return self._result(got == wanted, what, f"got    {got!r}\nwanted {wanted!r}")

    def contains(self, text, part, what):
        return self._result(part in text, what, f"{part!r} is not in\n{text!r}")

    def skip(self, what, why):
        self.number += 1
        print(f"ok {self.number} - {what} # SKIP {why}", flush=True)

    @staticmethod
    def note(text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def suites_dir(source, name):
    """The folder of an outside suite beside the checkout, None when it is not there."""
    path = os.path.join(os.path.dirname(source), "shared", "suites", name)
    return path if os.path.isdir(path) else None

"""Counts cases over all parts of a run."""

import re
import sys
import time

OK = re.compile(r"^ok\b(?:\s+\d+)?(?:\s+-?\s*)?(.*)$")
NOT_OK = re.compile(r"^not ok\b(?:\s+\d+)?(?:\s+-?\s*)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(#.*)?$")
DIRECTIVE = re.compile(r"(?<!\\)#\s*(skip|todo)", re.IGNORECASE)


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = 0
        self.parts = []

    def good(self, count=1):
        self.passed += count

    def bad(self, name):
        self.failed.append(name)

    def skip(self, count=1):
        self.skipped += count

    def part(self, title):
        """`with tally.part("..."):` says what runs now and keeps how long it took."""
        return Part(self, title)

    def close(self):
        """Prints the summary; the last line is the closing line. Returns the exit code."""
        print(flush=True)
        for title, seconds, passed, failed in self.parts:
            print(f"{title:40} {passed:6} passed {failed:4} failed {seconds:7.0f} s")
        if self.skipped:
            print(f"{self.skipped} skipped")
        for name in self.failed:
            print(f"failed: {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed", flush=True)
        return 1 if self.failed or self.passed == 0 else 0


class Part:
    def __init__(self, tally, title):
        self.tally = tally
        self.title = title

    def __enter__(self):
        print(f"\n== {self.title}", flush=True)
        self.began = time.monotonic()
        self.before = self.tally.passed, len(self.tally.failed)
        return self

    def __exit__(self, kind, error, _trace):
        tally = self.tally
        if kind is not None and issubclass(kind, Exception):
            print(f"{self.title}: {error}", file=sys.stderr, flush=True)
            tally.bad(f"{self.title}: {error}")
        tally.parts.append((self.title, time.monotonic() - self.began, tally.passed - self.before[0],
                            len(tally.failed) - self.before[1]))
        return kind is not None and issubclass(kind, Exception)


class TapCounter:
    """Fed with the lines of a program that prints TAP."""

    def __init__(self, tally, name):
        self.tally = tally
        self.name = name
        self.seen = self.failed = 0
        self.plan = None

    def feed(self, line):
        """True if the line tells of a failure (and so is worth showing)."""
        bad = NOT_OK.match(line)
        good = OK.match(line)
        plan = PLAN.match(line)
        if plan:
            self.plan = int(plan.group(1))
            if self.plan == 0:
                self.tally.skip()
        elif bad and not DIRECTIVE.search(bad.group(1)):
            self.seen += 1
            self.failed += 1
            self.tally.bad(f"{self.name}: {bad.group(1)}")
            return True
        elif good or bad:
            self.seen += 1
            if DIRECTIVE.search((good or bad).group(1)):
                self.tally.skip()
            else:
                self.tally.good()
        return False

    def end(self, code):
        """A program that dies, or does less than it planned, has failed even if no case did."""
        if self.failed:
            return
        if self.plan is None:
            self.tally.bad(f"{self.name}: ended without a plan (exit code {code})")
        elif self.seen != self.plan:
            self.tally.bad(f"{self.name}: {self.seen} of {self.plan} cases ran (exit code {code})")
        elif code != 0:
            self.tally.bad(f"{self.name}: exit code {code}")

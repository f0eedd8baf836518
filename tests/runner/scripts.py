"""Programs that print TAP: tests/suites/*.py and tests/e2e/*.py."""

import glob
import os
import signal
import subprocess
import sys
import threading
import time

from . import builds
from .tally import TapCounter

# Beyond every script's own limit: a last resort.
LIMIT_S = 1200
# To take a lab down after SIGTERM.
GRACE_S = 30


def found(folder):
    """The scripts of tests/<folder>; what starts with an underscore is a module."""
    pattern = os.path.join(builds.SOURCE, "tests", folder, "*.py")
    return sorted(p for p in glob.glob(pattern) if not os.path.basename(p).startswith("_"))


def end(process):
    """Its whole process group, politely first."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.killpg(process.pid, number)
            process.wait(wait_s)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def run_one(tally, path, *options, build=builds.RELEASE, limit_s=LIMIT_S):
    """Shows one line a script, and every failed case with what the script says about it."""
    name = os.path.relpath(path, os.path.join(builds.SOURCE, "tests")).removesuffix(".py")
    if build is not builds.RELEASE:
        name = f"{build.folder} {name}"
    counter = TapCounter(tally, name)
    skipped = tally.skipped
    began = time.monotonic()
    # A group of its own, so that an interrupted script is ended with all that it started.
    process = subprocess.Popen([sys.executable, path, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               text=True, errors="replace", start_new_session=True,
                               env={**build.env, "POSTERN_BUILD": build.path, "PYTHONDONTWRITEBYTECODE": "1"})
    watchdog = threading.Timer(limit_s, end, [process])
    watchdog.start()
    showing = False
    try:
        for line in process.stdout:
            bad = counter.feed(line)
            showing = bad or (showing and line.startswith("#"))
            if showing:
                print(f"   {line.rstrip()}", flush=True)
        code = process.wait()
    except BaseException:
        end(process)
        raise
    finally:
        watchdog.cancel()
    counter.end(code)
    good = counter.seen - counter.failed - (tally.skipped - skipped if counter.plan else 0)
    word = "ok  " if code == 0 and not counter.failed else "FAIL"
    print(f"{word} {name}: {good} passed, {counter.failed} failed, {time.monotonic() - began:.0f} s", flush=True)


def run(tally, folder, build=builds.RELEASE):
    paths = found(folder)
    if not paths:
        raise RuntimeError(f"tests/{folder} holds no script")
    for path in paths:
        run_one(tally, path, build=build)

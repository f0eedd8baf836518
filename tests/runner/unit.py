"""Unit tests: `meson test`, counted case by case."""

import json
import os
import re
import subprocess

from . import builds
from .tally import TapCounter

CMOCKA = re.compile(r"^\[\s+(PASSED|FAILED|SKIPPED)\s+\] (\d+) test\(s\)", re.MULTILINE)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (?!\d+ test)(\S+)$", re.MULTILINE)


def count(tally, name, entry):
    """One program's result: its cmocka or TAP cases, or itself where it prints neither."""
    output = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    counts = {word: int(number) for word, number in CMOCKA.findall(output)}
    result = entry["result"]
    if re.search(r"^1\.\.\d+", output, re.MULTILINE):
        counter = TapCounter(tally, name)
        for line in (entry.get("stdout") or "").splitlines():
            counter.feed(line)
        counter.end(entry.get("returncode", 0))
    elif result == "SKIP":
        tally.skip()
    elif result == "OK":
        tally.good(counts.get("PASSED", 1))
        tally.skip(counts.get("SKIPPED", 0))
    else:
        tally.good(counts.get("PASSED", 0))
        # Crashes and time-outs have no list of failed cases.
        for case in dict.fromkeys(CMOCKA_FAILED.findall(output)) or [result.lower()]:
            tally.bad(f"{name}: {case}")


def run(tally, build, suite="unit"):
    """Builds and runs; meson shows the progress and the logs of those that fail."""
    build.make()
    log = os.path.join(build.path, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    subprocess.run(["meson", "test", "-C", build.path, "--no-rebuild", "--suite", suite,
                    "--print-errorlogs", "--num-processes", str(builds.CPUS),
                    "--timeout-multiplier", str(build.patience)],
                   env=build.env, check=False)
    with open(log, encoding="utf-8") as f:
        for line in f:
            entry = json.loads(line)
            count(tally, f"{build.folder} {entry['name']}", entry)

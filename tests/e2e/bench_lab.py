#!/usr/bin/python3
"""bench/lab/idle and bench/lab/flood measure what they say they do; small, and of numbers only those
that no busy machine changes."""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import peers, tap  # noqa: E402

SESSIONS = 2000


def lab(name, *options):
    done = subprocess.run([os.path.join(peers.SOURCE, "bench", "lab", name), "--json", *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"said": done.stderr}


def main():
    with tap.Tests("bench_lab", limit_s=240) as t:
        idle = lab("idle", "--sessions", str(SESSIONS), "--rate", "1000", "--seconds", "5")
        t.equal((idle.get("sessions"), idle.get("clients")), (SESSIONS, 32), "idle: all sessions are held")
        t.ok(idle.get("noops", 0) > 1000 and idle["p99_us"] >= idle["p50_us"] > 0,
             "idle: NOOPs are answered, and timed", idle)
        t.ok(idle.get("memory_mib", 0) > 0, "idle: memory is measured", idle)
        flood = lab("flood", "--seconds", "3", "--connections", "16")
        t.ok(flood.get("done", 0) >= 16, "flood: sessions get through", flood)
        t.ok(flood.get("cookies_per_second", 0) > 1000 and flood["cookies_accepted"] >= 16,
             "flood: by cookie", flood)


if __name__ == "__main__":
    main()

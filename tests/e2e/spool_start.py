#!/usr/bin/python3
"""A start reads what came since the last snapshot of the index, not the whole log.

    tests/e2e/spool_start.py [--megabytes N] [--cold]

--megabytes: how much log there is (default 400). --cold: nothing of it is in the machine's memory.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import gateway, tap  # noqa: E402

# As in bench/spool_start.c and spool/log/snapshot.h.
MAIL_OCTETS, BATCH_MAILS, FEW_MAILS, SNAPSHOT_EVERY = 102400, 20, 16384, 4
DELIVERED_ONE_IN = 3


def drop_caches():
    """True if the kernel let go of what it had read; a container may not be allowed to ask."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("3\n")
    except OSError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--cold", action="store_true")
    args = parser.parse_args()
    tool = f"{gateway.build_dir()}/bench/spool-start"
    folder = tempfile.mkdtemp(prefix="spool-start.", dir="/var/tmp")
    with tap.Tests("spool_start", limit_s=120 + args.megabytes // 4) as t:
        try:
            filled = subprocess.run([tool, "fill", folder, str(args.megabytes), str(DELIVERED_ONE_IN)],
                                    check=False)
            t.equal(filled.returncode, 0, f"{args.megabytes} MB of log, then the end without warning")
            cold = args.cold and drop_caches()
            done = subprocess.run([tool, "open", folder], stdout=subprocess.PIPE, check=False)
            if not t.equal(done.returncode, 0, "it opens again"):
                return
            result = json.loads(done.stdout)
            t.note(f"the start took {result['seconds']:.3f} s, {result['cpu_seconds']:.3f} s of CPU time "
                   f"({'cold' if cold else 'warm'} cache): {args.megabytes} MB of log, "
                   f"{result['segments']} segments, {result['replayed']} of them read, "
                   f"{result['mails']} mails undelivered")
            batches = -(-(args.megabytes << 20) // (MAIL_OCTETS * BATCH_MAILS))
            mails = batches * BATCH_MAILS
            left = mails - mails // DELIVERED_ONE_IN
            # What was done after the last sync is not known of.
            t.ok(left <= result["mails"] <= left + BATCH_MAILS, "every mail that was not delivered is there",
                 f"{result['mails']} of {left}")
            every = 1 if mails <= FEW_MAILS else SNAPSHOT_EVERY
            t.ok(result["replayed"] <= every + 1,
                 "of the log only the segments behind the last snapshot are read",
                 f"{result['replayed']} of {result['segments']} segments")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

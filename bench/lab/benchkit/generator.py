"""Runs build/bench/postern-load on the generator's CPU."""

import json
import os
import subprocess

from labkit.gateway import build_dir
from labkit.proc import LabError

from . import machine

# Beyond its own limits: a last resort.
SPARE_S = 60


def run(where, under=(), *, seconds, warmup=1, connections=32, mails=1000, folder=None, extra=()):
    binary = os.path.join(build_dir(), "bench", "postern-load")
    if not os.path.exists(binary):
        raise LabError(f"there is no {binary}", "build it first: make")
    argv = [*under, binary, "--quiet", "--json", "-", "--time", str(seconds + warmup),
            "--warmup", str(warmup), "--connections", str(connections), "--mails", str(mails),
            "--helo", "out.pass.example", "--from", "sender@pass.example", *extra, *where]
    if folder:
        argv[len(under) + 1:len(under) + 1] = ["--folder", folder]
    with machine.on_cpu(machine.cpus()[1]):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds + warmup + SPARE_S, check=False)
    try:
        result = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise LabError(f"postern-load failed ({done.returncode}): {done.stderr.strip()}",
                       "run that by hand: " + " ".join(argv)) from error
    result["exit"] = done.returncode
    return result

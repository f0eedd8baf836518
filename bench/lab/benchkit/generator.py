"""Runs build/bench/postern-load on the generator's CPU."""

import json
import os
import subprocess
import tempfile

from labkit.gateway import build_dir
from labkit.proc import LabError

from . import machine

# Beyond its own limits: a last resort.
SPARE_S = 60


def binary():
    path = os.path.join(build_dir(), "bench", "postern-load")
    if not os.path.exists(path):
        raise LabError(f"there is no {path}", "build it first: make")
    return path


def result_of(out, code, said, argv):
    try:
        result = json.loads(out)
    except json.JSONDecodeError as error:
        raise LabError(f"postern-load failed ({code}): {said.strip()}",
                       "run that by hand: " + " ".join(argv)) from error
    result["exit"] = code
    return result


def follow(where, progress, *, seconds, extra):
    """Runs it over shared memory, and hands on each line that it says of its progress."""
    argv = [binary(), "--json", "-", "--time", str(seconds), *extra, *where]
    with machine.on_cpu(machine.cpus()[1]), tempfile.TemporaryFile("w+") as out:
        running = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
                                   text=True)
        last = ""
        try:
            for last in running.stderr:
                progress(last.rstrip())
            running.wait()
        finally:
            running.kill()
            running.wait()
        out.seek(0)
        return result_of(out.read(), running.returncode, last, argv)


def run(where, under=(), *, seconds, warmup=1, connections=32, mails=1000, folder=None, extra=()):
    argv = [*under, binary(), "--quiet", "--json", "-", "--time", str(seconds + warmup),
            "--warmup", str(warmup), "--connections", str(connections), "--mails", str(mails),
            "--helo", "out.pass.example", "--from", "sender@pass.example", *extra, *where]
    if folder:
        argv[len(under) + 1:len(under) + 1] = ["--folder", folder]
    with machine.on_cpu(machine.cpus()[1]):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds + warmup + SPARE_S, check=False)
    return result_of(done.stdout, done.returncode, done.stderr, argv)

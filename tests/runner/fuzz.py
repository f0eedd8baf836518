"""Fuzzers: every `*_fuzz` program of the clang build over its corpus, bounded in runs, seed fixed."""

import concurrent.futures
import os
import subprocess
import tempfile

from . import builds

# A run that takes longer than this has hung; the bound of a whole fuzzer is far beyond its runs.
ONE_INPUT_S = 20
WHOLE_S = 600
MEMORY_MB = 1500


def programs(build):
    """(name, program, folder of its corpus)"""
    for target in build.targets():
        if target["type"] == "executable" and target["name"].endswith("_fuzz"):
            beside = os.path.dirname(target["defined_in"])
            corpus = os.path.join(beside, target["name"].removesuffix("_fuzz") + "_corpus")
            yield target["name"], target["filename"][0], corpus


def make(build):
    """The fuzzers and what they are made of, no more."""
    build.configure()
    build.make(*[os.path.relpath(program, build.path) for _, program, _ in programs(build)])


def fuzz_one(build, name, program, corpus, bound):
    """None if nothing was found, else the end of the fuzzer's output."""
    artifacts = os.path.join(build.path, "fuzz-artifacts", "")
    os.makedirs(artifacts, exist_ok=True)
    seeds = [corpus] if os.path.isdir(corpus) else []
    with tempfile.TemporaryDirectory(prefix=f"postern-{name}-") as grown:
        try:
            done = subprocess.run(
                [program, *bound, f"-timeout={ONE_INPUT_S}", f"-rss_limit_mb={MEMORY_MB}",
                 f"-artifact_prefix={artifacts}", grown, *seeds],
                env=build.env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", timeout=WHOLE_S)
        except subprocess.TimeoutExpired:
            return f"{name} did not end in time"
    if done.returncode == 0:
        return None
    return f"{done.stdout[-6000:]}\nrepeat: {program} {artifacts}<file above>"


def run(tally, build, bound):
    """`bound`: libFuzzer's options that make it end, e.g. -runs=N."""
    build.make()
    found = sorted(programs(build))
    if not found:
        raise RuntimeError("no fuzzer was built")
    with concurrent.futures.ThreadPoolExecutor(builds.CPUS) as pool:
        waiting = {pool.submit(fuzz_one, build, *program, bound): program[0] for program in found}
        for done in concurrent.futures.as_completed(waiting):
            name, fault = waiting[done], done.result()
            if fault is None:
                tally.good()
            else:
                print(fault)
                tally.bad(f"fuzz {name}")
            print(f"{'FAIL' if fault else 'ok  '} {name}", flush=True)

"""Fuzzing to a given CPU time: one process a fuzzer, at idle priority, over the corpus in the tree and what has
grown under build/. What was spent and found is kept in a ledger beside the grown corpus, until
`fuzz_table` writes it into the tree."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from . import builds, fuzz

MAX_LEN = 16384
# Wall time of one input. Generous, because at idle priority a process may stand still for minutes.
ONE_INPUT_S = 600
LOOK_S = 1
TELL_S = 120
# A second fuzzer runs only while others leave a CPU to it.
LOAD_FOR_ANOTHER = 3.0

STATUS = re.compile(r"cov: (\d+) ft: (\d+)")
RUNS = re.compile(r"^#(\d+)|^stat::number_of_executed_units: (\d+)", re.MULTILINE)
TICKS = os.sysconf("SC_CLK_TCK")


class Fuzzer:
    """One program: its corpora, and what has been spent on it since the table was written."""

    def __init__(self, build, name, program, corpus):
        self.build, self.name, self.program, self.corpus = build, name, program, corpus
        self.path = os.path.relpath(corpus, builds.SOURCE).removesuffix("_corpus")
        self.work = os.path.join(build.path, "fuzz-work", name)
        self.grown = os.path.join(self.work, "corpus")
        self.ledger_path = os.path.join(self.work, "ledger.json")
        os.makedirs(self.grown, exist_ok=True)

    def ledger(self):
        try:
            with open(self.ledger_path, encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return {"cpu_s": 0, "runs": 0, "edges": 0, "features": 0, "found": []}

    def write_ledger(self, ledger):
        with open(self.ledger_path + ".new", "w", encoding="utf-8") as f:
            json.dump(ledger, f)
        os.replace(self.ledger_path + ".new", self.ledger_path)

    def forget(self):
        if os.path.exists(self.ledger_path):
            os.unlink(self.ledger_path)


def everything(build):
    return [Fuzzer(build, *program) for program in sorted(fuzz.programs(build))]


def to_idle():
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Run:
    """One process. `poll()` is True once it has ended; `cpu_s`, `runs` and `found` are then final."""

    def __init__(self, fuzzer, cpu_s, seed):
        self.fuzzer, self.limit_s = fuzzer, cpu_s
        self.cpu_s, self.asked, self.found = 0.0, False, None
        artifacts = os.path.join(fuzzer.build.path, "fuzz-artifacts", fuzzer.name + "-")
        os.makedirs(os.path.dirname(artifacts), exist_ok=True)
        # A copy, so that building meanwhile does no harm.
        program = os.path.join(fuzzer.work, fuzzer.name)
        shutil.copy2(fuzzer.program, program + ".new")
        os.replace(program + ".new", program)
        self.log = open(os.path.join(fuzzer.work, "log"), "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [program, f"-seed={seed}", f"-max_len={MAX_LEN}", f"-timeout={ONE_INPUT_S}",
             f"-rss_limit_mb={fuzz.MEMORY_MB}", "-print_final_stats=1", f"-artifact_prefix={artifacts}",
             fuzzer.grown, *([fuzzer.corpus] if os.path.isdir(fuzzer.corpus) else [])],
            env=fuzzer.build.env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            preexec_fn=to_idle, start_new_session=True)  # a ^C is for us: see stop()

    def stop(self):
        """libFuzzer ends by itself after the input at hand."""
        if not self.asked:
            self.asked = True
            self.process.send_signal(signal.SIGUSR1)

    def poll(self):
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid == 0:
            self.cpu_s = cpu_of(self.process.pid)
            if self.cpu_s >= self.limit_s:
                self.stop()
            return False
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.credit()
        return True

    def output(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def progress(self):
        """(runs, edges, features) by what the fuzzer has printed."""
        output = self.output()
        runs = [int(a or b) for a, b in RUNS.findall(output)]
        status = STATUS.findall(output)
        return (max(runs, default=0), *(int(n) for n in (status[-1] if status else (0, 0))))

    def credit(self):
        runs, edges, features = self.progress()
        ledger = self.fuzzer.ledger()
        ledger["cpu_s"] += self.cpu_s
        ledger["runs"] += runs
        ledger["edges"], ledger["features"] = edges, features
        ledger["commit"] = builds.commit()
        if self.process.returncode != 0:
            self.found = self.output()[-6000:]
            wrote = re.findall(r"Test unit written to (\S+)", self.found)
            ledger["found"].append(wrote[-1] if wrote else f"exit code {self.process.returncode}")
        self.fuzzer.write_ledger(ledger)
        self.log.close()

    def tell(self):
        runs, edges, features = self.progress()
        print(f"     {self.fuzzer.name}: {self.cpu_s / 60:.1f} of {self.limit_s / 60:.1f} CPU minutes, "
              f"{runs} runs, {edges} edges, {features} features", flush=True)


def may_start(running, jobs):
    return not running or (len(running) < jobs and os.getloadavg()[0] < LOAD_FOR_ANOTHER)


def end_run(run, tally):
    if run.found:
        print(f"{run.found}\nrepeat: {run.fuzzer.program} <file above>")
        tally.bad(f"fuzz {run.fuzzer.name}")
    else:
        tally.good()
    print(f"{'FAIL' if run.found else 'ok  '} {run.fuzzer.name}: {run.cpu_s / 60:.1f} CPU minutes", flush=True)


def run_all(tally, fuzzers, cpu_s, jobs, seed):
    """Each fuzzer for `cpu_s`, in the order given. SIGTERM and SIGINT end what runs and keep the account."""
    over = threading.Event()
    kept = {number: signal.signal(number, lambda *_: over.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    waiting, running, told = list(fuzzers), [], time.monotonic()
    while running or (waiting and not over.is_set()):
        if waiting and not over.is_set() and may_start(running, jobs):
            running.append(Run(waiting.pop(0), cpu_s, seed))
        over.wait(LOOK_S) if not over.is_set() else time.sleep(LOOK_S)
        for run in list(running):
            if over.is_set():
                run.stop()
            if run.poll():
                running.remove(run)
                end_run(run, tally)
        if time.monotonic() - told > TELL_S:
            told = time.monotonic()
            for run in running:
                run.tell()
    for number, handler in kept.items():
        signal.signal(number, handler)
    return not over.is_set()

"""Start and stop processes by their id, and only those we started."""

import os
import signal
import subprocess
import time


class LabError(Exception):
    """What happened, where, and what to do about it."""

    def __init__(self, what, todo, log=None):
        super().__init__(what)
        self.what = what
        self.todo = todo
        self.log = log

    def keep_log(self):
        """Takes the end of the log into the text, before the log is removed."""
        if self.log and os.path.exists(self.log):
            self.what += f"\n--- the end of {self.log}:\n{tail(self.log)}---"
        self.log = None

    def report(self):
        self.keep_log()
        return f"{self.what}\nto do: {self.todo}"


def tail(path, lines=20):
    with open(path, "rb") as f:
        f.seek(0, os.SEEK_END)
        f.seek(max(0, f.tell() - 16384))
        text = f.read().decode("utf-8", "replace")
    return "".join(line + "\n" for line in text.splitlines()[-lines:])


def run(*argv, check=True, **kw):
    """Runs a short command; its output is kept for the error message."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **kw)
    if check and done.returncode:
        raise LabError(f"'{' '.join(argv)}' failed ({done.returncode}): {done.stdout.strip()}",
                       "run that command by hand to see why; the lab needs root")
    return done.stdout


def start_time(pid):
    """When a process started (clock ticks since boot), None when it is gone or a zombie.

    Kept beside the id, so that a number the kernel gave to someone else is never killed.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


class Process:
    """A process with its id kept in a file, so that another run of the lab can stop it."""

    def __init__(self, pidfile):
        self.pidfile = pidfile

    def start(self, argv, log, env=None, cwd=None):
        with open(log, "ab") as out:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                     start_new_session=True, env=env, cwd=cwd)
        child.returncode = 0  # it outlives us; reap() collects it, not Popen's destructor
        with open(self.pidfile, "w", encoding="ascii") as f:
            f.write(f"{child.pid} {start_time(child.pid)}\n")
        return child.pid

    def _identity(self):
        try:
            with open(self.pidfile, encoding="ascii") as f:
                pid, started = f.read().split()
        except (FileNotFoundError, ValueError):
            return None, None
        return int(pid), started

    @property
    def pid(self):
        return self._identity()[0]

    def alive(self):
        pid, started = self._identity()
        if pid is None:
            return False
        reap(pid)
        return str(start_time(pid)) == started

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def wait_gone(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def kill(self):
        """kill -9 of the process alone, as the out-of-memory killer would."""
        self.signal(signal.SIGKILL)
        self.wait_gone(10)

    def stop(self, grace_s=10):
        """SIGTERM, then SIGKILL to it and the session it leads. True if it went by itself."""
        pid, _ = self._identity()
        if pid is None:
            return True
        self.signal(signal.SIGTERM)
        clean = self.wait_gone(grace_s)
        if not clean:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.wait_gone(10)
        os.unlink(self.pidfile)
        return clean


def wait_until(ready, timeout_s, what, process=None, log=None):
    """Polls ready() until it is true; says so when the time is over or the process has gone."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = ready()
        if value:
            return value
        if process is not None and not process.alive():
            raise LabError(f"{what}: the process has ended", "see its log", log)
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {timeout_s} s", "see its log", log)
        time.sleep(0.02)

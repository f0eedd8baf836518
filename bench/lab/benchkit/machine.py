"""CPUs: the server on one, what measures it on another."""

import contextlib
import os


def cpus():
    """(of the server, of the generator and the store); the same one where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)]


@contextlib.contextmanager
def on_cpu(number):
    """What is started inside runs on that CPU alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid):
    """User and system time of a process, its own and that of children it has waited for."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def load_average():
    return round(os.getloadavg()[0], 1)

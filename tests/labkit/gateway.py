"""posternd under test: its configuration, start, stop and kill."""

import os
import socket

import yaml

from . import peers
from .proc import LabError, Process, run, wait_until


def build_dir():
    return os.environ.get("POSTERN_BUILD", os.path.join(peers.SOURCE, "build"))


def merge(base, over):
    """Maps are merged key by key; anything else of `over` replaces what was there."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{k: merge(base.get(k), v) for k, v in over.items()}}
    return over


class Gateway:
    def __init__(self, directory):
        self.dir = directory
        self.config = f"{directory}/postern.yaml"
        self.log = f"{directory}/posternd.log"
        self.control = f"{directory}/control.sock"
        self.process = Process(f"{directory}/posternd.pid")

    def configure(self, settings, config_file=None):
        if config_file:
            with open(config_file, encoding="utf-8") as f:
                settings = merge(settings, yaml.safe_load(f) or {})
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("# written by tests/lab\n")
            yaml.safe_dump(settings, f, sort_keys=False)

    def start(self, ready_s=60, netns=None, device_ready=None):
        """Starts the daemon, in a namespace if given, and waits until it says READY (sd_notify).

        device_ready() is called then: the daemon has made its device."""
        binary = os.path.join(build_dir(), "posternd")
        if not os.path.exists(binary):
            raise LabError(f"there is no {binary}", "build it first: make")
        path = f"{self.dir}/notify.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            if os.path.exists(path):
                os.unlink(path)
            notify.bind(path)
            os.chmod(path, 0o666)
            notify.setblocking(False)
            said = []

            def is_ready():
                try:
                    said.extend(notify.recv(4096).decode().split("\n"))
                except BlockingIOError:
                    pass
                return "READY=1" in said

            prefix = ["ip", "netns", "exec", netns] if netns else []
            self.process.start([*prefix, binary, "-c", self.config], self.log,
                               env={**os.environ, "NOTIFY_SOCKET": path})
            wait_until(is_ready, ready_s, "posternd says READY=1", self.process, self.log)
            if device_ready:
                device_ready()
        os.unlink(path)
        return self.process.pid

    def tool(self, *words, check=True):
        """Runs build/postern; returns what it printed."""
        return run(os.path.join(build_dir(), "postern"), *words, check=check)

    def stats(self):
        """The running daemon's counters by name; those of several threads are added up."""
        counters = {}
        for line in self.tool("stats", "-a", "-c", self.config).splitlines():
            words = line.split()
            if len(words) == 2:
                counters[words[0]] = counters.get(words[0], 0) + int(words[1])
        return counters

    def memory_kb(self):
        """Resident memory, with pages that VmRSS does not count."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            fields = dict(line.split(":", 1) for line in f)
        return sum(int(fields[name].split()[0]) for name in ("VmRSS", "HugetlbPages"))

    def stop(self, grace_s=15):
        return self.process.stop(grace_s)

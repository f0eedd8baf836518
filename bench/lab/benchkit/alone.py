"""The gateway alone on shared memory: no device of the kernel's, no store, no peer to unpack."""

import os

from labkit import gateway

from . import machine

# A network of its own on both ends of the shared memory, with room for many clients.
GATEWAY_IP = "10.27.0.1"
PREFIX = 16


def client(number):
    """The address of one of the generator's clients."""
    return f"10.27.1.{number + 1}"


class Alone:
    def __init__(self, state, limits, store=None):
        self.state = state
        self.gateway = gateway.Gateway(state)
        self.memif = f"{state}/memif.sock"
        for name in ("zone", "recipients"):
            with open(f"{state}/{name}", "w", encoding="ascii") as f:
                f.write({"zone": "", "recipients": "alice@lab.example\n"}[name])
        os.mkdir(f"{state}/spool", 0o700)
        self.gateway.configure({
            "hostname": "mx.lab.example",
            "postmaster": "alice@lab.example",
            "listen": [{"device": f"memif:server,{self.memif}", "ports": [25],
                        "addresses": [f"{GATEWAY_IP}/{PREFIX}"], "gateway": client(0)}],
            "domains": ["lab.example"],
            "recipients": {"file": f"{state}/recipients"},
            "dns": {"zone": f"{state}/zone"},
            "limits": limits,
            "spool": {"path": f"{state}/spool"},
            "delivery": {"backends": [{"lmtp": f"unix:{store or f'{state}/nobody.sock'}"}]},
            "control": {"socket": self.gateway.control},
        })

    def start(self):
        with machine.on_cpu(machine.cpus()[0]):
            self.gateway.start()

    def close(self):
        self.gateway.stop(60)

    def memory_kb(self):
        """Resident memory, with pages that VmRSS does not count."""
        with open(f"/proc/{self.gateway.process.pid}/status", encoding="ascii") as f:
            fields = dict(line.split(":", 1) for line in f)
        return sum(int(fields[name].split()[0]) for name in ("VmRSS", "HugetlbPages"))

    def counters(self):
        """Every counter of the daemon; those that are 0 too."""
        said = self.gateway.tool("stats", "-a", "-c", self.gateway.config)
        lines = (line.split() for line in said.splitlines())
        return {words[0]: int(words[1]) for words in lines if len(words) == 2}

    def reach(self, clients=1):
        """Options and server for postern-load."""
        words = ["--device", f"memif:client,{self.memif}"]
        for number in range(clients):
            words += ["--address", f"{client(number)}/{PREFIX}"]
        return [*words, GATEWAY_IP]

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

    def reach(self, clients=1):
        """Options and server for postern-load."""
        words = ["--device", f"memif:client,{self.memif}"]
        for number in range(clients):
            words += ["--address", f"{client(number)}/{PREFIX}"]
        return [*words, GATEWAY_IP]

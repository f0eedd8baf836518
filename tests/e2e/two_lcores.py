#!/usr/bin/python3
"""Two io lcores serve every kind of device: mail comes through each of them, IPv4 and IPv6."""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import gateway, lab, netns, senders, tap  # noqa: E402

CONNECTIONS, MAILS = 8, 2
LIMIT_S = 60


class Wire:
    """One more device of the gateway's, with a network of its own."""

    def __init__(self, here, number, kind):
        self.here, self.kind = here, kind
        # Names of 15 octets at most, also with what the lab's own are called.
        self.link = f"{here.link[:-1]}{number}"
        self.ours, self.client = f"10.{30 + number}.0.2", f"10.{30 + number}.0.1"
        self.ours6, self.client6 = f"fd{30 + number}::2", f"fd{30 + number}::1"
        self.memif = f"{here.state}/memif.sock"

    def make(self):
        if self.kind in ("af_packet", "af_xdp"):
            netns.veth(self.link, f"{self.link}c", self.here.netns, queues=2 if self.kind == "af_xdp" else 1)
            netns.steer_receive(self.link)
            self.give_addresses(f"{self.link}c")

    def plug(self):
        """A tap is there only when the daemon is."""
        if self.kind == "tap":
            netns.run("ip", "link", "set", self.link, "netns", self.here.netns)
            self.give_addresses(self.link)

    def give_addresses(self, link):
        six = [f"{self.client6}/64"] if netns.has_ipv6() else []
        netns.address(self.here.netns, link, f"{self.client}/24", *six)

    def listen(self):
        device = f"memif:server,{self.memif}" if self.kind == "memif" else f"{self.kind}:{self.link}"
        six = [f"{self.ours6}/64"] if netns.has_ipv6() else []
        return {"device": device, "addresses": [f"{self.ours}/24", *six], "ports": [25]}

    def reach(self):
        """Options and server for postern-load, and what to run it under; one for each family."""
        if self.kind == "memif":
            device = ("--device", f"memif:client,{self.memif}")
            yield [*device, "--address", f"{self.client}/24", self.ours], []
            if netns.has_ipv6():
                yield [*device, "--address", f"{self.client6}/64", self.ours6], []
        else:
            yield [self.ours], ["ip", "netns", "exec", self.here.netns]
            if netns.has_ipv6():
                yield [self.ours6], ["ip", "netns", "exec", self.here.netns]


class Shared(Wire):
    """The lab's own."""

    def __init__(self, here):
        super().__init__(here, 0, "af_xdp-shared")
        self.ours, self.ours6 = senders.GATEWAY_IP, senders.GATEWAY_IP6


def send(where, under):
    """How many mails were accepted, and what went wrong."""
    done = subprocess.run(
        [*under, os.path.join(gateway.build_dir(), "bench", "postern-load"), "--quiet", "--json", "-",
         "--connections", str(CONNECTIONS), "--mails", str(MAILS), "--size", "3000", *where],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    result = json.loads(done.stdout) if done.stdout else {}
    return result.get("accepted"), result.get("errors", done.stderr)


def start(here, wires):
    settings = here.settings()
    settings["lcores"] = {"io": 2}
    settings["listen"] += [wire.listen() for wire in wires]
    here.gateway.configure(settings)
    for wire in wires:
        wire.make()
    here.start_gateway()
    for wire in wires:
        wire.plug()


def main():
    with tap.Tests("two_lcores", limit_s=240) as t, \
            lab.temporary(device="af_xdp-shared", start_gateway=False, queues=2) as here:
        wires = [Wire(here, number, kind)
                 for number, kind in enumerate(("tap", "af_packet", "af_xdp", "memif"), 1)]
        sent = 0
        try:
            start(here, wires)
            for wire in (Shared(here), *wires):
                before = here.gateway.stats()["lcore_passed"]
                for where, under in wire.reach():
                    t.equal(send(where, under), (CONNECTIONS * MAILS, {}), f"{wire.kind}: mail to {where[-1]}")
                    sent += CONNECTIONS * MAILS
                t.ok(here.gateway.stats()["lcore_passed"] > before, f"{wire.kind}: both lcores have connections")
            lost = {name: n for name, n in here.gateway.stats().items()
                    if n and name in ("lcore_ring_full", "lcore_news_lost", "net_tx_full", "net_tcp_checksum")}
            t.equal(lost, {}, "nothing is lost between lcores, nor on the way out")
            here.dovecot.wait_for(sent, "alice", LIMIT_S)
            t.ok(True, "all mails are in the mailbox")
        finally:
            here.gateway.stop(40)
            for wire in wires:
                netns.delete_link(wire.link)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""postern-load over both its transports against the daemon: what it counts is what happened."""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import gateway, lab, netns, senders, tap  # noqa: E402

# The gateway behind shared memory, and the generator there.
MEMIF_GATEWAY, MEMIF_CLIENT = "10.26.0.2", "10.26.0.1"
LIMIT_S = 60


class Run:
    """One run, by itself or in the client's namespace."""

    def __init__(self, here, *options, client=True):
        binary = os.path.join(gateway.build_dir(), "bench", "postern-load")
        under = ["ip", "netns", "exec", here.netns] if client else []
        done = subprocess.run([*under, binary, "--quiet", "--json", "-", *options],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)
        self.code = done.returncode
        self.said = done.stderr
        self.result = json.loads(done.stdout) if done.stdout else {}

    def count(self, code):
        return self.result.get("replies", {}).get(str(code), {}).get("count", 0)


def sends(t, here, what, *options, client=True):
    """40 mails over 8 connections, each accepted and delivered."""
    before = here.dovecot.count("alice")
    run = Run(here, "--connections", "8", "--mails", "5", "--size", "5000", *options, client=client)
    t.equal((run.code, run.result.get("accepted"), run.result.get("refused"),
             run.result.get("errors")), (0, 40, 0, {}), f"{what}: all mails are taken, no error")
    t.equal((run.count(220), run.count(354), run.count(221)), (8, 40, 8),
            f"{what}: the replies are counted by code")
    t.equal(run.result.get("latency_us", {}).get("mail", {}).get("count"), 40,
            f"{what}: each mail is in the histogram")
    here.dovecot.wait_for(before + 40, "alice", 60)
    t.ok(True, f"{what}: all of them are in the mailbox")


def kernel_sockets(t, here):
    sends(t, here, "kernel sockets", senders.GATEWAY_IP)
    sends(t, here, "kernel sockets, IPv6, no pipelining", "--no-pipelining", senders.GATEWAY_IP6)
    run = Run(here, f"{senders.GATEWAY_IP}:2526")
    t.equal((run.code, list(run.result["errors"])), (69, ["connection refused"]),
            "a port where nobody listens: connection refused")
    run = Run(here, "--to", "nobody@lab.example", senders.GATEWAY_IP)
    t.equal((run.code, run.result["accepted"], run.result["refused"], run.count(550)), (1, 0, 10, 10),
            "an unknown recipient: each mail is refused, and the code counted")


def folder(t, here):
    path = f"{here.state}/mails"
    os.makedirs(path)
    forged = here.signed("pass.example", senders.message("pass.example", "Pay 10\n")).replace(b"10", b"99")
    for name, text in (("1", here.signed("pass.example", senders.message("pass.example", ".\n..\n"))),
                       ("2", forged)):
        with open(f"{path}/{name}", "wb") as f:
            f.write(text)
    run = Run(here, "--folder", path, "--connections", "1", "--mails", "4", "--from", "s@pass.example",
              "--source", senders.UNLISTED_IP, senders.GATEWAY_IP)
    t.equal((run.result["accepted"], run.result["refused"], run.count(550)), (2, 2, 2),
            "mails of a folder go in turn: the forged one is refused at its end")


def holds(t, here):
    run = Run(here, "--idle", "50", "--noop-rate", "50", "--time", "2", "--connections", "2",
              senders.GATEWAY_IP)
    t.equal((run.code, run.result["held"], run.result["held_peak"]), (0, 50, 50),
            "sessions are held beside the load")
    t.ok(run.result["noops"] > 0 and run.result["latency_us"]["noop"]["count"] == run.result["noops"],
         "and answer NOOPs", run.result)


def raw_flood(t, here):
    run = Run(here, "--connections", "2", "--time", "1", "--syn-flood", "5000", senders.GATEWAY_IP)
    t.ok(run.result["syns"] > 1000 and run.result["accepted"] > 0 and run.code == 0,
         "a SYN flood from raw sockets inside a namespace, and mail beside it", run.result)


def own_stack(t, here, memif):
    sends(t, here, "own stack over memif", *memif, MEMIF_GATEWAY, client=False)
    netns.run("ip", "-n", here.netns, "addr", "flush", "dev", here.client_link)
    sends(t, here, "own stack over af_packet", "--device", f"af_packet:{here.client_link}",
          "--address", f"{senders.CLIENT_IP}/{senders.PREFIX}", senders.GATEWAY_IP)
    run = Run(here, "--idle", "100", "--noop-rate", "100", "--time", "2", "--connections", "2",
              *memif, MEMIF_GATEWAY, client=False)
    t.equal((run.code, run.result["held"]), (0, 100), "own stack: sessions are held")


def floods(t, here, memif):
    run = Run(here, "--connections", "4", "--mails", "3", "--time", "2", "--syn-flood", "20000",
              *memif, MEMIF_GATEWAY, client=False)
    t.ok(run.result["syns"] > 1000 and run.result["syn_answers"] > 0,
         "a SYN flood over memif is sent and answered", run.result)
    t.equal((run.code, run.result["accepted"] > 0), (0, True), "and mail goes through meanwhile")
    run = Run(here, "--connections", "0", "--time", "1", "--syn-flood", "1000", "127.0.0.1", client=False)
    t.equal((run.code, "network namespace" in run.said), (69, True),
            "no SYN flood from the machine's own namespace")


def main():
    with tap.Tests("load_generator", limit_s=240) as t:
        with lab.temporary({"policy": {"dmarc": {"on_reject": "reject"}}}) as here:
            kernel_sockets(t, here)
            folder(t, here)
            holds(t, here)
            raw_flood(t, here)
        with lab.temporary(device="af_packet", start_gateway=False) as here:
            path = f"{here.state}/memif.sock"
            settings = here.settings()
            settings["listen"].append({"device": f"memif:server,{path}", "ports": [25],
                                       "addresses": [f"{MEMIF_GATEWAY}/24"], "gateway": MEMIF_CLIENT})
            here.gateway.configure(settings)
            here.start_gateway()
            memif = ("--device", f"memif:client,{path}", "--address", f"{MEMIF_CLIENT}/24")
            own_stack(t, here, memif)
            floods(t, here, memif)


if __name__ == "__main__":
    main()

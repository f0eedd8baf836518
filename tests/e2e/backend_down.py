#!/usr/bin/python3
"""The backend stops while mail flows at full rate, and starts again: all is delivered, within bounds.

usage: backend_down.py [--seconds N]     how long mail flows with the backend down
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import gateway, lab, proc, senders, sink, tap  # noqa: E402

SIZE = 8192
MEMORY_MIB = 8      # spool.memory: bodies beyond it are read back from the log
ENTRY_OCTETS = 256  # of the index for each undelivered mail
# Not the spool's: what arrives, what is being sent, the allocator's own.
SLACK_MIB = 48
# With the backend up, before and behind.
AROUND_S = 2


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) * 1024


class Watch(threading.Thread):
    """The most memory that the daemon has had."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.most = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            self.most = max(self.most, rss(self.pid))

    def end(self):
        self.over.set()
        self.join()
        return self.most


def start_load(here, seconds):
    binary = os.path.join(gateway.build_dir(), "bench", "postern-load")
    return subprocess.Popen(
        ["ip", "netns", "exec", here.netns, binary, "--quiet", "--json", "-", "--time", str(seconds),
         "--connections", "16", "--mails", "200", "--size", str(SIZE), senders.GATEWAY_IP],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def planned(here):
    """What `postern check` says the configuration may take, in octets."""
    said = here.gateway.tool("check", "-c", here.gateway.config, check=False)
    return float(re.search(r"([\d.]+) MiB  in all", said).group(1)) * 2**20


def flow(t, here, store, seconds):
    """Mail at full rate; the store is away from soon after the beginning to after the end."""
    watch = Watch(here.gateway.process.pid)
    load = start_load(here, seconds + AROUND_S)
    time.sleep(AROUND_S)
    before = rss(watch.pid)
    watch.start()
    taken = store.stop()
    out, _ = load.communicate(timeout=seconds + 90)
    result = json.loads(out)
    t.note(f"{result['accepted']} mails accepted, {result['rate']:.0f} a second")
    t.equal((result["refused"], result["errors"]), (0, {}), "with the backend away every mail is accepted")
    waiting = here.gateway.stats()["spool_messages"]
    t.ok(waiting * SIZE > 2 * MEMORY_MIB << 20,
         "more waits than memory is for", f"{waiting} mails wait")
    store.start()
    here.gateway.tool("queue", "flush", "ALL", "-c", here.gateway.config)
    proc.wait_until(lambda: here.gateway.stats()["spool_messages"] == 0, 60 + 10 * seconds,
                    "the queue is empty", log=here.gateway.log)
    return result["accepted"], taken["recipients"], waiting, watch.end(), before


def cases(t, here, store, seconds):
    accepted, first, waiting, most, before = flow(t, here, store, seconds)
    stats = here.gateway.stats()
    t.equal(stats["delivery_sent"], accepted, "each of them is delivered once the backend is back")
    second = store.stop()["recipients"]
    t.ok(accepted <= first + second <= accepted + stats["delivery_unsure"],
         "the store has them all, and twice at most those whose reply was not seen",
         f"{first} + {second} of {accepted}, {stats['delivery_unsure']} unsure")
    t.ok(stats["spool_memory_full"] > 0, "bodies were left to the log, and read back")
    bound = before + (MEMORY_MIB + SLACK_MIB << 20) + waiting * ENTRY_OCTETS
    t.note(f"{waiting} mails waited; memory {before >> 20} MiB with the backend up, "
           f"at most {most >> 20} MiB with it away; plan {planned(here) / 2**20:.0f} MiB")
    t.ok(most <= bound, f"memory grew by no more than spool.memory, the index and {SLACK_MIB} MiB",
         f"{most} octets, {bound} allowed")
    t.ok(most <= planned(here), "and stayed within the memory plan")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    args = parser.parse_args()
    with tap.Tests("backend_down", limit_s=240 + 12 * args.seconds) as t, \
            tempfile.TemporaryDirectory(prefix="psink.", dir=lab.PARENT) as folder:
        os.chmod(folder, 0o755)
        store = sink.Sink(folder)
        store.start()
        settings = {
            "spool": {"memory": f"{MEMORY_MIB}M"},
            "delivery": {"backends": [{"lmtp": f"unix:{store.socket}"}]},
        }
        try:
            with lab.temporary(settings) as here:
                cases(t, here, store, args.seconds)
                t.ok(here.gateway.stop(), "the daemon ends by itself")
        finally:
            store.stop()


if __name__ == "__main__":
    main()

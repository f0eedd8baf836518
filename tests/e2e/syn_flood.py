#!/usr/bin/python3
"""Real mail gets through while SYNs come from addresses that nobody has.

usage: syn_flood.py [--rate SYNS_A_SECOND] [--mails N] [--connections N]
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import gateway, lab, load, senders, tap  # noqa: E402
from labkit.proc import wait_until  # noqa: E402

LIMIT_S = 240
HALF_OPEN = 64
FLOOD_FROM = "198.18.0.0/15"
# Half-open entries, the reminder ring and TIME-WAIT are there from the start: a flood adds nothing.
GROWTH_KB = 16 << 10
# What the kernel's end of a tap takes while the mails go through too.
RATE = 20000


def flood(here, rate, seconds):
    """Only SYNs: the load generator without a connection of its own."""
    return subprocess.Popen(
        ["ip", "netns", "exec", here.netns, os.path.join(gateway.build_dir(), "bench", "postern-load"),
         "--syn-flood", str(rate), "--flood-from", FLOOD_FROM, "--connections", "0", "--time", str(seconds),
         "--quiet", f"{senders.GATEWAY_IP}:25"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def send_mails(here, mails, connections, each):
    """What broke; the mails keep the score."""
    async def everything():
        return await asyncio.gather(*(load.session(here, mails, each, timeout_s=LIMIT_S)
                                      for _ in range(connections)), return_exceptions=True)

    return [e for e in asyncio.run(everything()) if isinstance(e, BaseException)]


def calm_again(here):
    """
    One more connection, which finds whether cookies are still needed. Not too soon after the last:
    more SYNs a second than a quarter of half_open keep cookies on, whoever sends them.
    """
    time.sleep(0.25)
    with here.connect() as peer:
        peer.hello()
    return here.gateway.stats()["tcp_cookies_released"] > 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--mails", type=int, default=200)
    parser.add_argument("--connections", type=int, default=20)
    args = parser.parse_args()
    each = args.mails // args.connections
    seed = random.SystemRandom().randrange(2**32)
    with tap.Tests("syn_flood", limit_s=LIMIT_S) as t, \
            lab.temporary({"limits": {"half_open": HALF_OPEN}}) as here:
        t.note(f"seed {seed}")
        mails = load.Mails(seed, 20000)
        t.equal(send_mails(here, mails, args.connections, each), [], "mails get through before the flood")
        before, memory = here.gateway.stats(), here.gateway.memory_kb()
        t.equal(before["tcp_cookies_sent"], 0, "without a flood no cookie is sent")

        flooding = flood(here, args.rate, LIMIT_S)
        try:
            wait_until(lambda: here.gateway.stats()["tcp_cookies_sent"] > args.rate, 30, "cookies are sent")
            began = time.monotonic()
            t.equal(send_mails(here, mails, args.connections, each), [], "no connection breaks under the flood")
            took = time.monotonic() - began
            t.ok(flooding.poll() is None, "the flood went on all the while")
            during, grown = here.gateway.stats(), here.gateway.memory_kb() - memory
        finally:
            flooding.terminate()
            flooding.wait()
        t.note(f"{each * args.connections} mails in {took:.1f} s, {during['tcp_cookies_sent']} cookies sent, "
               f"{during['tcp_cookies_accepted']} accepted, memory grew by {grown} kB")
        t.equal(len(mails.accepted), 2 * each * args.connections, "every mail got 250")
        t.ok(during["tcp_cookies_engaged"] >= 1, "cookies took over")
        t.ok(during["tcp_cookies_accepted"] >= args.connections, "the mails' connections came by cookie")
        t.ok(during["tcp_half_open"] <= HALF_OPEN, "no more half-open entries than limits.half_open")
        t.ok(grown < GROWTH_KB, "the flood costs no memory", f"{grown} kB")

        # The addresses come to life, and reset what was opened in their name.
        here.run("ip", "route", "add", "local", FLOOD_FROM, "dev", "lo")
        wait_until(lambda: calm_again(here), 90, "cookies end")
        after = here.gateway.stats()
        t.equal(after["tcp_cookies_released"], after["tcp_cookies_engaged"], "cookies end after the flood")
        sent = after["tcp_cookies_sent"]
        t.equal(send_mails(here, mails, 1, 1), [], "mail gets through after it")
        t.equal(here.gateway.stats()["tcp_cookies_sent"], sent, "without a cookie")

        here.dovecot.wait_for(len(mails.accepted), "alice", 120)
        outcome = mails.compare(here.dovecot.messages("alice"))
        t.equal(outcome.missing, [], "every mail that got 250 is in the mailbox")
        t.equal(outcome.changed, [], "each as sent")


if __name__ == "__main__":
    main()

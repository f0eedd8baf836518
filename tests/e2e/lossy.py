#!/usr/bin/python3
"""1,000 mails of 20 KB over 50 kernel connections while 5 % of the packets are lost each way.

usage: lossy.py [--mails N] [--connections N] [--size BYTES] [--loss PERCENT]
"""

import argparse
import asyncio
import os
import random
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, load, tap  # noqa: E402

LIMIT_S = 900


def lose(here, percent):
    """Drops packets at the client's end of the device, in both directions."""
    # The hook must see packets as on the wire, not pieces of 64 KB that are cut behind it.
    here.run("ip", "link", "set", here.client_link, "gso_max_segs", "1")
    rule = f"numgen random mod 1000 < {percent * 10:.0f} counter drop"
    here.run("nft", f"""table netdev lossy {{
        chain in {{ type filter hook ingress device "{here.client_link}" priority 0; {rule}; }}
        chain out {{ type filter hook egress device "{here.client_link}" priority 0; {rule}; }}
    }}""")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--size", type=int, default=20000)
    parser.add_argument("--loss", type=float, default=5)
    args = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32)
    with tap.Tests("lossy", limit_s=LIMIT_S) as t, lab.temporary() as here:
        t.note(f"seed {seed}")
        lose(here, args.loss)
        mails = load.Mails(seed, args.size)
        started = time.monotonic()
        sessions = [load.session(here, mails, args.mails // args.connections, timeout_s=LIMIT_S)
                    for _ in range(args.connections)]

        async def everything():
            return await asyncio.gather(*sessions, return_exceptions=True)

        errors = [e for e in asyncio.run(everything()) if isinstance(e, BaseException)]
        t.note(f"{len(mails.accepted)} mails accepted in {time.monotonic() - started:.1f} s")
        t.equal(errors, [], "no connection broke")
        t.equal(len(mails.accepted), args.mails // args.connections * args.connections,
                f"all mails got 250 under {args.loss:g} % loss each way")
        here.dovecot.wait_for(len(mails.accepted), "alice", 300)
        outcome = mails.compare(here.dovecot.messages("alice"))
        t.equal(outcome.missing, [], "every mail that got 250 is in the mailbox")
        t.equal(outcome.changed, [], "each as sent, byte for byte, below the added fields")
        t.equal(outcome.duplicates, 0, "none twice")
        t.equal(outcome.strangers, 0, "nothing else is there")
        t.note(here.run("nft", "list", "table", "netdev", "lossy"))
        t.contains(here.run("nft", "list", "table", "netdev", "lossy"), "counter packets",
                   "packets were really dropped")


if __name__ == "__main__":
    main()

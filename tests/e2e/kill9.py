#!/usr/bin/python3
"""kill -9 of the daemon under load: every mail that got 250 is in the mailbox after the restart.

usage: kill9.py [--kills N] [--connections N] [--seed N]
"""

import argparse
import asyncio
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, load, proc, tap  # noqa: E402


async def one_life(here, mails, connections, seconds):
    """Load on all connections until the daemon is killed after so many seconds."""
    over = asyncio.Event()

    async def keep_sending():
        while not over.is_set():
            try:
                await load.session(here, mails, 10, timeout_s=20)
            except (OSError, load.Refused, asyncio.TimeoutError):
                await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(keep_sending()) for _ in range(connections)]
    await asyncio.sleep(seconds)
    over.set()
    here.gateway.process.kill()
    # Nobody resets the connections of a gateway that is gone with its TCP: end them here.
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    args = parser.parse_args()
    chance = random.Random(args.seed)
    # Little memory for packets: to make it ready is most of a start.
    settings = {"delivery": {"retry_min": "1s"}, "lcores": {"memory": "64M"}}
    with tap.Tests("kill9", limit_s=120 + 30 * args.kills) as t, lab.temporary(settings) as here:
        t.note(f"seed {args.seed}")
        mails = load.Mails(args.seed, 4000)
        for life in range(args.kills):
            before = len(mails.accepted)
            seconds = chance.uniform(0.05, 1.0)
            asyncio.run(one_life(here, mails, args.connections, seconds))
            t.note(f"kill {life + 1} after {seconds:.2f} s: "
                   f"{len(mails.accepted) - before} mails had got 250")
            here.start_gateway()
        t.ok(mails.accepted, "mails were accepted between the kills")
        here.dovecot.wait_for(len(mails.accepted), "alice", 120 + 10 * args.kills)
        # More may still come: those taken whose 250 nobody heard. Done when nothing moves.
        asyncio.run(load.session(here, mails, 1))
        last = max(mails.accepted)
        proc.wait_until(lambda: not mails.compare(here.dovecot.messages("alice")).missing, 120,
                       f"all mails that got 250, up to {last}")
        outcome = mails.compare(here.dovecot.messages("alice"))
        t.equal(outcome.missing, [], f"all {len(mails.accepted)} mails that got 250 before a "
                                     f"kill -9 are in the mailbox ({args.kills} kills)")
        t.equal(outcome.changed, [], "each as sent, byte for byte")
        t.equal(outcome.strangers, 0, "nothing else is there")
        t.note(f"{outcome.duplicates} came twice (at least once is promised), "
               f"{outcome.unacknowledged} came whose 250 was never heard")
        t.ok(here.gateway.stop(), "the daemon ends by itself")


if __name__ == "__main__":
    main()

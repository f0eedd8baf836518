#!/usr/bin/python3
"""kill -9 of Dovecot under load: nothing is lost, and every second copy is one the log told of.

usage: dovecot_kills.py [--kills N] [--connections N] [--seed N]
"""

import argparse
import asyncio
import collections
import os
import random
import re
import signal
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, load, proc, tap  # noqa: E402

SIZE = 4000
QUEUE_ID = re.compile(rb"with E?SMTP\w*\s+id (\w+)")
MESSAGE_ID = re.compile(rb"^Message-ID: <(\d+)@plain\.example>\r\n", re.M)
UNSURE = re.compile(r"(\w+): to=.* duplicate=possible")


class Load(threading.Thread):
    """Mail on all connections until it is told to stop."""

    def __init__(self, here, mails, connections):
        super().__init__(daemon=True)
        self.here, self.mails, self.connections = here, mails, connections
        self.over = threading.Event()
        self.refused = []

    async def one(self):
        while not self.over.is_set():
            try:
                await load.session(self.here, self.mails, 10)
            except load.Refused as error:
                self.refused.append(str(error))
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.02)  # Dovecot must keep up, or there is nothing to kill

    def run(self):
        async def all_of_them():
            await asyncio.gather(*(self.one() for _ in range(self.connections)))
        asyncio.run(all_of_them())

    def end(self):
        self.over.set()
        self.join()


def kill(here, chance, moved):
    """Master and children at once, in the middle of their work: some mail has come since the last."""
    proc.wait_until(lambda: here.dovecot.count("alice") > moved, 60, "mail is delivered",
                    log=here.gateway.log)
    threading.Event().wait(chance.uniform(0.01, 0.3))
    os.killpg(here.dovecot.process.pid, signal.SIGKILL)
    here.dovecot.process.wait_gone(10)
    moved = here.dovecot.count("alice")
    here.dovecot.start()
    here.gateway.tool("queue", "flush", "ALL", "-c", here.gateway.config)
    return moved


def copies(stored):
    """Queue ids of mails of which there is more than one copy."""
    seen = collections.defaultdict(list)
    for text in stored:
        seen[MESSAGE_ID.search(text).group(1)].append(QUEUE_ID.search(text).group(1).decode())
    return [ids for ids in seen.values() if len(ids) > 1]


def unsure(here):
    with open(here.gateway.log, encoding="utf-8", errors="replace") as f:
        return set(UNSURE.findall(f.read()))


def compare(t, here, mails, kills):
    proc.wait_until(lambda: here.gateway.stats()["spool_messages"] == 0, 60 + 4 * kills,
                    "the queue is empty", log=here.gateway.log)
    stored = here.dovecot.messages("alice")
    outcome = mails.compare(stored)
    t.equal(outcome.missing, [], f"all {len(mails.accepted)} mails that got 250 are in the mailbox "
                                 f"after {kills} kills of Dovecot")
    t.equal((outcome.changed, outcome.strangers), ([], 0), "each as sent, and nothing else")
    told = unsure(here)
    t.equal([ids for ids in copies(stored) if not told & set(ids)], [],
            "of every mail that came twice the log says duplicate=possible")
    t.note(f"{outcome.duplicates} came twice; the log told of {len(told)} whose reply was not seen")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--connections", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    args = parser.parse_args()
    chance = random.Random(args.seed)
    settings = {"delivery": {"retry_min": "1s", "retry_max": "2s"}}
    with tap.Tests("dovecot_kills", limit_s=180 + 20 * args.kills) as t, lab.temporary(settings) as here:
        t.note(f"seed {args.seed}")
        mails = load.Mails(args.seed, SIZE)
        sending = Load(here, mails, args.connections)
        sending.start()
        moved = 0
        for _ in range(args.kills):
            moved = kill(here, chance, moved)
        sending.end()
        t.equal(sending.refused, [], "while Dovecot comes and goes mail is accepted")
        compare(t, here, mails, args.kills)
        t.ok(here.gateway.stop(), "the daemon ends by itself")


if __name__ == "__main__":
    main()

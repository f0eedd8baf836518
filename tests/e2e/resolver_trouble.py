#!/usr/bin/python3
"""A name server that is late, cut, silent or lying, under load: the right verdict or 4xx, never a false one;
nobody else waits for it; and once it is well, so are we. With --outage S instead: after S seconds without any
answer mail is taken again soon after the name server is back."""

import argparse
import asyncio
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, senders, smtp, tap  # noqa: E402
from labkit.trouble_dns import KINDS, TROUBLE, VICTIM, TroubleDns  # noqa: E402

DOMAINS = 24  # of each kind, with one mail each; half of them from where SPF does not list
KNOWN = "d0.fine.example"
LATER = ("451 4.4.3 ", "451 4.7.24 ")
RIGHT = {True: "250 2.0.0 ", False: "550 5.7.1 "}  # by: is the client listed?
# Those that get an answer may get the right verdict; the others must not get any.
ANSWERED = ("fine", "late", "truncated")
PATIENT_S = 90
SETTINGS = {"dns": {"timeout": "5s"}, "auth": {"patience": "10s"}, "limits": {"client_connections": 1000}}


class Talk:
    """One connection of the load, driven by asyncio."""

    def __init__(self, here, listed=True):
        self.sock = here.socket()
        self.sock.setblocking(False)
        self.sock.bind((senders.CLIENT_IP if listed else senders.UNLISTED_IP, 0))

    async def __aenter__(self):
        await asyncio.get_running_loop().sock_connect(self.sock, (senders.GATEWAY_IP, 25))
        self.reader, self.writer = await asyncio.open_connection(sock=self.sock)
        await self.reply()
        await self.command("EHLO out.fine.example")
        return self

    async def __aexit__(self, *_):
        self.writer.transport.abort()
        self.sock.close()

    async def reply(self):
        while True:
            line = await self.reader.readline()
            if line[3:4] != b"-":
                return line.decode("utf-8", "replace").strip()

    async def command(self, text):
        self.writer.write(text.encode() + b"\r\n")
        return await self.reply()

    async def mail(self, domain):
        """The reply that decided it."""
        for command in (f"MAIL FROM:<sender@{domain}>", "RCPT TO:<alice@lab.example>", "DATA"):
            reply = await self.command(command)
            if not reply.startswith(("250", "354")):
                return reply
        self.writer.write(smtp.stuffed(senders.message(domain)) + b".\r\n")
        await self.writer.drain()
        return await self.reply()


async def send(here, domain, listed):
    async with Talk(here, listed) as talk:
        return await talk.mail(domain)


async def count_while(here, over, what, wanted):
    """How often `what(talk)` got the reply wanted until the others were done."""
    count = 0
    async with Talk(here) as talk:
        while not over.is_set():
            count += (await what(talk)).startswith(wanted)
            await asyncio.sleep(0.02)
    return count


async def load(here, wanted):
    """One mail for each of `wanted` (domain, listed), all at once. The replies, and how many mails of a
    known domain and NOOPs went through meanwhile."""
    over = asyncio.Event()
    others = [asyncio.create_task(count_while(here, over, *other)) for other in
              ((lambda talk: talk.mail(KNOWN), RIGHT[True]), (lambda talk: talk.command("NOOP"), "250"))]
    replies = await asyncio.gather(*(send(here, domain, listed) for domain, listed in wanted))
    over.set()
    return replies, [await other for other in others]


def until_right(here, domain, listed):
    """Sends until the mail is not put off any more. None: the verdict was right; else the last reply."""
    end = time.monotonic() + PATIENT_S
    while True:
        reply = asyncio.run(send(here, domain, listed))
        if reply.startswith(RIGHT[listed]):
            return None
        if not reply.startswith(LATER) or time.monotonic() > end:
            return reply
        time.sleep(0.2)


def judge(t, wanted, replies):
    """No false verdict; those of which nothing can be known are put off. Returns the (domain, listed)
    that were put off though they could be answered."""
    off = []
    for kind in KINDS:
        mine = [(d, li, r) for (d, li), r in zip(wanted, replies) if d.split(".")[1] == kind]
        false = [m for m in mine if not m[2].startswith(LATER)
                 and not (kind in ANSWERED and m[2].startswith(RIGHT[m[1]]))]
        late = [(d, li) for d, li, r in mine if r.startswith(LATER)]
        t.equal(false, [], f"{kind}: {'the right verdict or ' if kind in ANSWERED else ''}451")
        t.note(f"{len(late)} of {len(mine)} put off")
        off += late if kind in ("fine", "truncated") else []
    return off


def under_load(t, here):
    wanted = [(f"d{n}.{kind}.example", n % 2 == 0) for n in range(1, DOMAINS + 1) for kind in KINDS]
    replies, (mails, noops) = asyncio.run(load(here, wanted))
    off = judge(t, wanted, replies)
    t.ok(mails >= 3, f"mail of a known domain went through meanwhile ({mails})")
    t.ok(noops >= 3, f"and so did commands ({noops})")
    t.equal([until_right(here, *mail) for mail in off[:5]], [None] * len(off[:5]),
            "domains without trouble are decided while the others' lasts")
    t.equal(until_right(here, VICTIM, False), None, "a lie on the side does not let a forger in")
    t.equal(until_right(here, VICTIM, True), None, "and does not keep the owner out")


def when_all_is_silent(t, here, server):
    server.dead = True
    wanted = [(f"d{n}.fine.example", n % 2 == 0) for n in range(1001, 1001 + DOMAINS)]
    replies, (mails, _) = asyncio.run(load(here, wanted))
    t.equal([r for r in replies if not r.startswith(LATER)], [], "nothing answered at all: 451")
    t.ok(mails >= 3, f"mail of a known domain goes through all the same ({mails})")
    server.dead = False


def when_well_again(t, here, server):
    server.healed = True
    for kind in KINDS:
        for n in (1, 2):
            t.equal(until_right(here, f"d{n}.{kind}.example", n % 2 == 0), None,
                    f"{kind}, once the server is well: {RIGHT[n % 2 == 0].strip()}")
    t.equal(until_right(here, "d1001.fine.example", False), None, "after the silence: the right verdict")


def after_an_outage(t, here, server, outage_s):
    """New names all the time, as mail brings them: the server is given up in the end, and found again."""
    server.dead = True
    end, n = time.monotonic() + outage_s, 1
    while time.monotonic() < end:
        replies = asyncio.run(load(here, [(f"d{n + i}.fine.example", True) for i in range(DOMAINS)]))[0]
        if not all(reply.startswith(LATER) for reply in replies):
            t.equal(replies, [], "during the outage: 451")
        n += DOMAINS
    server.dead = False
    t.equal(until_right(here, f"d{n}.fine.example", True), None, f"after an outage of {outage_s} s mail is taken")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outage", type=int, metavar="S")
    outage_s = parser.parse_args().outage
    with tap.Tests("resolver_trouble", limit_s=400 + 2 * (outage_s or 0)) as t, TroubleDns() as server:
        SETTINGS["dns"]["forward"] = [f"127.0.0.1@{server.port}"]
        with lab.temporary(SETTINGS, dns="forward") as here:
            t.equal(until_right(here, KNOWN, True), None, "a domain without trouble passes")
            if outage_s:
                return after_an_outage(t, here, server, outage_s)
            under_load(t, here)
            when_all_is_silent(t, here, server)
            when_well_again(t, here, server)
            stats = here.gateway.stats()
            t.equal((stats["resolver_known"], stats["resolver_open"]), (0, 0), "and no question is left behind")
            t.equal(stats["resolver_full"], 0, "none was refused for want of room")


if __name__ == "__main__":
    main()

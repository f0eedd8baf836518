#!/usr/bin/python3
"""Mail is verified on auth lcores as on the io lcores: verdicts, refusals, aborts, kill -9, reload."""

import asyncio
import os
import random
import signal
import socket
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, load, proc, senders, smtp, tap  # noqa: E402

LIMIT_S = 60
CONNECTIONS = 6
LARGE_OCTETS = 3 << 20

# What a peer has said when it is gone, from MAIL to the last octet before the end.
STAGES = (b"", b"DATA\r\n", b"DATA\r\nFrom: sender@pass", b"DATA\r\nFrom: a@pass.example\r\n\r\nHello\r\n.\r")


def settings(io, auth):
    return {"lcores": {"io": io, "auth": auth, "memory": f"{64 * io}M"}, "limits": {"header_size": "64K"},
            "delivery": {"retry_min": "1s"}}


def counted(here, what):
    """A counter of auth lcores, all of them together."""
    return sum(n for name, n in here.gateway.stats().items()
               if name.startswith("auth_lcore") and name.endswith(f"_{what}"))


def altered(here):
    text = here.signed("pass.example", senders.message("pass.example", "Pay 10 to account 1\n"))
    return text.replace(b"Pay 10 ", b"Pay 99 ")


def send(here, text, source=None):
    with here.connect(source=source, timeout_s=LIMIT_S) as peer:
        peer.hello()
        peer.envelope("sender@pass.example", "alice@lab.example")
        return peer.data(text)


def results_of(here, text):
    """What the mailbox shows of that very mail, its content as it was sent."""
    found = []

    def is_there():
        found[:] = [m for m in here.dovecot.messages("alice") if lab.added_and_content(m, text) is not None]
        return bool(found)

    proc.wait_until(is_there, LIMIT_S, "the mail is in the mailbox as it was sent", log=here.gateway.log)
    return " ".join(lab.fields(found[0], "Authentication-Results"))


def verdicts(t, here, what):
    text = here.signed("pass.example", senders.message("pass.example", "Grüße\n.dot\n"))
    t.equal(send(here, text).code, 250, f"{what}: a signed mail is taken")
    results = results_of(here, text)
    for word in ("spf=pass", "dkim=pass", "dmarc=pass"):
        t.contains(results, word, f"{what}: the mailbox shows {word}")

    reply = send(here, altered(here), source=senders.UNLISTED_IP)
    t.ok(reply.code == 550 and "DMARC" in reply.text, f"{what}: an altered one under p=reject is refused",
         reply.text)
    header = b"".join(b"X-Filler: %060d\r\n" % n for n in range(1000))
    t.equal(send(here, header + senders.message("pass.example")).code, 552,
            f"{what}: a header section over its limit is refused")


def large(t, here, what):
    body = b"".join(b"%075d\r\n" % n for n in range(LARGE_OCTETS // 77))
    text = here.signed("pass.example", senders.message("pass.example", "") + body)
    t.equal(send(here, text).code, 250, f"{what}: a large mail is taken")
    t.contains(results_of(here, text), "dkim=pass", f"{what}: its signature is good, its content as it was sent")


def aborts(t, here, what):
    before, n = counted(here, "aborted"), 0
    for stage in STAGES:
        with here.connect() as peer:
            peer.hello()
            peer.envelope("sender@pass.example", "alice@lab.example")
            peer.send(stage)
            if stage:
                peer.reply()
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        n += 1
    with here.connect() as peer:
        peer.hello()
        peer.envelope("sender@pass.example", "alice@lab.example")
        peer.command("RSET")
        n += 1
        proc.wait_until(lambda: counted(here, "aborted") == before + n, LIMIT_S,
                        "the auth lcores are told of mails that were given up")
        t.equal(peer.mail("sender@pass.example", ["alice@lab.example"], senders.message("pass.example")).code,
                250, f"{what}: mails given up at any point harm no other")


def reload(t, here, what):
    with here.connect(source=senders.UNLISTED_IP) as peer:
        peer.hello()
        peer.envelope("sender@pass.example", "alice@lab.example")
        start = peer.command("DATA")
        text = smtp.stuffed(altered(here))
        peer.send(text[:len(text) // 2])
        with open(here.gateway.config, encoding="utf-8") as f:
            good = f.read()
        with open(here.gateway.config, "w", encoding="utf-8") as f:
            f.write(good.replace("on_reject: reject", "on_reject: quarantine"))
        os.kill(here.gateway.process.pid, signal.SIGHUP)
        proc.wait_until(lambda: "event=reloaded" in log(here), LIMIT_S, "the reload is logged")
        peer.send(text[len(text) // 2:] + b".\r\n")
        t.equal((start.code, peer.reply().code), (354, 250),
                f"{what}: a policy that comes by SIGHUP holds for a mail under way")


def log(here):
    with open(here.gateway.log, encoding="utf-8", errors="replace") as f:
        return f.read()


async def life(here, mails, kill_after_s):
    """Load until the daemon is killed."""
    async def keep_sending():
        while True:
            try:
                await load.session(here, mails, 10, timeout_s=20)
            except (OSError, load.Refused, asyncio.TimeoutError):
                await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(keep_sending()) for _ in range(CONNECTIONS)]
    while not mails.accepted:
        await asyncio.sleep(0.05)
    await asyncio.sleep(kill_after_s)
    here.gateway.process.kill()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def killed(t, here, what):
    seed = random.SystemRandom().randrange(2**32)
    t.note(f"seed {seed}")
    mails = load.Mails(seed, 30000)
    asyncio.run(life(here, mails, random.Random(seed).uniform(0.2, 0.8)))
    here.start_gateway()
    asyncio.run(load.session(here, mails, 1))
    proc.wait_until(lambda: not mails.compare(here.dovecot.messages("alice")).missing, LIMIT_S,
                    "all mails that got 250 are in the mailbox")
    t.equal(mails.compare(here.dovecot.messages("alice")).changed, [],
            f"{what}: all {len(mails.accepted)} mails that got 250 before a kill -9 are there, each as sent")


def main():
    with tap.Tests("auth_lcores", limit_s=300) as t:
        for io, auth in ((1, 1), (2, 2)):
            what = f"{io} io and {auth} auth"
            with lab.temporary(settings(io, auth)) as here:
                verdicts(t, here, what)
                aborts(t, here, what)
                if io == 1:
                    large(t, here, what)
                    reload(t, here, what)
                else:
                    killed(t, here, what)
                t.ok(counted(here, "verdicts") > 0, f"{what}: the verdicts are the auth lcores'")
                t.ok(here.gateway.stop(), f"{what}: the daemon ends by itself")


if __name__ == "__main__":
    main()

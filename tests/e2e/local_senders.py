#!/usr/bin/python3
"""Senders on the gateway's own machine: kernel sockets feed the same sessions (device: kernel)."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, senders, tap  # noqa: E402

CONNECTIONS = 40
OCTETS = 100_000


def send(here, number):
    with here.connect(source=senders.CLIENT_IP) as peer:
        peer.hello()
        body = "".join(f"line {i} of mail {number}\n" for i in range(OCTETS // 20))
        return peer.mail("sender@plain.example", ["alice@lab.example"],
                         senders.message("plain.example", body, number=number))


def main():
    with tap.Tests("local_senders", limit_s=120) as t, \
            lab.temporary({"limits": {"errors": 5}}, device="kernel") as here:
        replies = [send(here, i) for i in range(CONNECTIONS)]
        t.ok(all(r.starts("250 ") for r in replies), f"{CONNECTIONS} large mails are taken")
        stored = here.dovecot.wait_for(CONNECTIONS, "alice")
        t.ok(all(b"spf=pass" in m for m in stored), "each checked as the client that sent it")
        with here.connect(source=senders.CLIENT_IP) as peer:
            peer.hello()
            replies = [str(peer.command("FOO")) for _ in range(4)]
            t.ok(all(r.startswith("500") for r in replies), "a wrong command is refused")
            t.contains(str(peer.command("FOO")), "500", "so is the last that is allowed")
            t.contains(str(peer.reply()), "421", "then the connection is closed with 421")
            t.ok(peer.at_end(), "and ends")
        t.ok(here.gateway.stop(), "SIGTERM ends the daemon by itself")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Trouble at Dovecot: mail is kept and delivered later; what Dovecot refuses for good goes to hold."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, proc, senders, tap  # noqa: E402


def send(here, number, *recipients):
    with here.connect() as peer:
        peer.hello()
        return peer.mail("sender@plain.example", recipients,
                         senders.message("plain.example", number=number))


def numbers(messages):
    return sorted(n for n in range(10) for m in messages if b"<%d@plain.example>" % n in m)


def main():
    settings = {"delivery": {"retry_min": "1s", "retry_max": "2s"}}
    with tap.Tests("tempfail", limit_s=180) as t, lab.temporary(settings) as here:
        with open(f"{here.state}/recipients", "a", encoding="utf-8") as f:
            f.write("ghost@lab.example\n")  # we believe in it, Dovecot does not
        here.gateway.stop()
        here.start_gateway()

        here.dovecot.stop()
        t.equal(send(here, 1, "alice@lab.example").code, 250,
                "with Dovecot down mail is accepted")
        queue_id = send(here, 2, "alice@lab.example", "bob@lab.example").text.split()[-1]
        t.equal(here.dovecot.count("alice"), 0, "and queued")
        t.contains(here.gateway.tool("queue", "list", "-c", here.gateway.config, check=False),
                   queue_id, "postern queue list shows it")
        here.gateway.stop()
        here.start_gateway()
        here.dovecot.start()
        t.equal(numbers(here.dovecot.wait_for(2, "alice", 30)), [1, 2],
                "after a restart, and once Dovecot is up, both are delivered")
        t.equal(numbers(here.dovecot.wait_for(1, "bob", 30)), [2], "to every recipient")

        reply = send(here, 3, "alice@lab.example", "ghost@lab.example", "bob@lab.example")
        t.equal(reply.code, 250, "a mail to two mailboxes and one that Dovecot does not know: 250")
        queue_id = reply.text.split()[-1]
        t.equal(numbers(here.dovecot.wait_for(3, "alice", 30)), [1, 2, 3],
                "the others get it")
        t.equal(numbers(here.dovecot.wait_for(2, "bob", 30)), [2, 3], "once each")
        proc.wait_until(lambda: "hold" in here.gateway.tool(
            "queue", "show", queue_id, "-c", here.gateway.config, check=False), 20,
            "the mail is held", log=here.gateway.log)
        t.contains(here.gateway.tool("queue", "show", queue_id, "-c", here.gateway.config,
                                     check=False), "ghost@lab.example",
                   "for the one refused for good the mail is held, not lost")
        here.gateway.stop()
        here.start_gateway()
        t.contains(here.gateway.tool("queue", "list", "-c", here.gateway.config, check=False),
                   queue_id, "it is still held after a restart")
        t.equal(numbers(here.dovecot.messages("alice")), [1, 2, 3], "and came to nobody twice")


if __name__ == "__main__":
    main()

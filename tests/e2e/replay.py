#!/usr/bin/python3
"""Delivered mail within retention is evaluated again, by kept and by today's records, and delivered again."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, proc, senders, tap  # noqa: E402


def send(here, number, domain, text, *recipients, source=None):
    with here.connect(source=source) as peer:
        peer.hello()
        reply = peer.mail(f"sender@{domain}", recipients, text)
        assert reply.code == 250, reply
        return reply.text.split()[-1]


def replay(here, *options, check=True):
    return here.gateway.tool("replay", "-c", here.gateway.config, *options, check=check)


def actions(here, *options):
    lines = map(json.loads, replay(here, "-j", *options).splitlines())
    return {line["id"]: line["action"] for line in lines if "id" in line}


def cases(t, here):
    good = send(here, 1, "pass.example", here.signed(
        "pass.example", senders.message("pass.example", number=1)), "alice@lab.example")
    # Nothing aligned passes, and the domain asks for nothing.
    forged = send(here, 2, "none.example", senders.message("none.example", number=2),
                  "alice@lab.example", "bob@lab.example", source=senders.UNLISTED_IP)
    here.dovecot.wait_for(2, "alice", 60)
    here.dovecot.wait_for(1, "bob", 60)
    proc.wait_until(lambda: here.gateway.stats()["spool_messages"] == 0, 30, "the queue is empty")
    t.equal(actions(here, "--from", "1h"), {good: "accept", forged: "accept"},
            "both are still there, and would be accepted again")
    t.contains(replay(here, "--from", "1h", good), "dkim=pass", "what was found out is shown")
    with open(here.zone, encoding="utf-8") as f:
        records = f.read()
    with open(here.zone, "w", encoding="utf-8") as f:
        f.write(records.replace("v=DMARC1; p=none", "v=DMARC1; p=reject"))
    t.ok(here.gateway.stop(), "the daemon ends by itself")
    t.equal(actions(here, "--from", "1h"), {good: "accept", forged: "accept"},
            "by the records that were kept with them nothing is otherwise")
    kept = replay(here, "--from", "1h", "--dns", "kept", good)
    t.contains(kept, "dns=kept\n", "all of them were kept")
    t.contains(kept, "dkim=pass", "the key too")
    t.equal(actions(here, "--from", "1h", "--dns", "fresh"), {good: "accept", forged: "reject"},
            "by today's records one would be refused; the daemon need not run for that")
    t.equal(actions(here, "--from", "1h", "--to", "30m"), {}, "a time when nothing came: nothing")
    said = replay(here, "--from", "1h", "--deliver", forged)
    t.contains(said, "1 mails, 0 not delivered", "one is delivered again")
    t.equal((here.dovecot.count("alice"), here.dovecot.count("bob")), (3, 2),
            "to each of its recipients, and nothing else")
    first, again = (m[m.index(b"Authentication-Results:"):] for m in here.dovecot.messages("bob"))
    t.equal(again, first, "as it was delivered before")


def main():
    settings = {"spool": {"retention": "1h"}}
    with tap.Tests("replay", limit_s=180) as t, lab.temporary(settings) as here:
        cases(t, here)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Large mails at once, more than memory for content holds: they go to the spool while they arrive."""

import hashlib
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, proc, senders, smtp, tap  # noqa: E402

MEGABYTE = 1 << 20
SETTINGS = {
    "limits": {"mail_memory": "16M", "message_size": "40M"},
    "policy": {"dmarc": {"on_reject": "reject"}},
}


def mail(number, megabytes, author="plain.example"):
    head = b"From: a@%s\r\nSubject: %d\r\n\r\n" % (author.encode(), number)
    line = hashlib.sha256(b"%d" % number).hexdigest().encode() + b"\r\n"
    return head + line * (megabytes * MEGABYTE // len(line))


class Sender(threading.Thread):
    """Sends one mail, and keeps the reply that decided it."""

    def __init__(self, here, sender, text, source=None):
        super().__init__(daemon=True)
        self.here, self.sender, self.text, self.source = here, sender, text, source
        self.reply = None
        self.start()

    def run(self):
        with self.here.connect(source=self.source, timeout_s=120) as peer:
            peer.hello()
            self.reply = peer.mail(self.sender, ["alice@lab.example"], self.text)


def break_off(here, text):
    """Sends half a mail and goes."""
    with here.connect(timeout_s=120) as peer:
        peer.hello()
        peer.envelope("sender@plain.example", "alice@lab.example")
        peer.command("DATA")
        peer.send(smtp.stuffed(text)[:len(text) // 2])


def main():
    with tap.Tests("large_mails", limit_s=240) as t, lab.temporary(SETTINGS) as here:
        texts = [mail(n, 20) for n in range(3)]
        sending = [Sender(here, "sender@plain.example", text) for text in texts]
        refused = Sender(here, "sender@pass.example", mail(9, 10, "pass.example"),
                         senders.UNLISTED_IP)
        break_off(here, mail(8, 20))
        for sender in sending + [refused]:
            sender.join(200)
        for number, sender in enumerate(sending):
            t.equal(sender.reply and sender.reply.code, 250, f"mail {number} of 20 MB is taken")
        t.equal(refused.reply and refused.reply.code, 550,
                "one that policy refuses is refused at its end")
        stored = here.dovecot.wait_for(3, "alice", 120)
        t.equal(sum(any(lab.added_and_content(s, text) is not None for s in stored)
                    for text in texts), 3, "each arrives as it was sent")

        def settled():
            stats = here.gateway.stats()
            return stats["mails_stream_aborted"] == 2 and stats["spool_messages"] == 0
        proc.wait_until(settled, 60, "the two that came to nothing are given up", log=here.gateway.log)
        stats = here.gateway.stats()
        t.equal(stats["mails_streamed"] + stats["mails_spilled"], 5,
                "all five went to the spool while they arrived")
        t.equal(stats["no_chunk"] + stats["mails_shed"], 0, "and memory for content sufficed")
        t.equal(stats["spool_aborted"], 2, "the log knows that two of them count for nothing")
        t.equal(here.dovecot.count("alice"), 3, "nothing else was delivered")
        here.gateway.stop()
        here.start_gateway()
        t.equal(here.gateway.stats()["spool_recovered"], 0, "nor is left in the log after a restart")


if __name__ == "__main__":
    main()

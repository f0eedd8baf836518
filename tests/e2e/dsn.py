#!/usr/bin/python3
"""DSN (RFC 3461): senders are told what they asked for, and postmaster of what is left."""

import email
import email.policy
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, proc, relay, senders, tap  # noqa: E402

GHOST = "ghost@lab.example"


def send(here, number, *recipients, mail="", sender="sender@plain.example"):
    """Recipients are (address, parameters). Returns the queue id."""
    with here.connect() as peer:
        peer.hello()
        replies = [peer.command(f"MAIL FROM:<{sender}> {mail}")]
        replies += [peer.command(f"RCPT TO:<{to}> {options}") for to, options in recipients]
        replies.append(peer.data(senders.message("plain.example", f"body of {number}\n", number=number)))
        assert all(reply.code == 250 for reply in replies), replies
        return replies[-1].text.split()[-1]


class Reports:
    """Those that the relay got, one after the other."""

    def __init__(self, here, sink):
        self.here, self.sink = here, sink
        self.seen = 0

    def next(self):
        proc.wait_until(lambda: len(self.sink.mails) > self.seen, 60, "the relay has a report",
                        log=self.here.gateway.log)
        _, _, content = self.sink.mails[self.seen]
        self.seen += 1
        report = email.message_from_bytes(content, policy=email.policy.default)
        _, status, original = report.iter_parts()
        return report, status.get_payload(), original


def parameters(t, here):
    with here.connect() as peer:
        t.contains(peer.hello().text.split(), "DSN", "EHLO announces DSN")
        cases = (("MAIL FROM:<a@plain.example> RET=SOME", 501), ("MAIL FROM:<a@plain.example> ENVID=a=b", 501),
                 ("MAIL FROM:<a@plain.example> RET=HDRS RET=HDRS", 501),
                 ("MAIL FROM:<a@plain.example> RET=HDRS ENVID=a+2Bb", 250),
                 ("RCPT TO:<alice@lab.example> NOTIFY=NEVER,DELAY", 501),
                 ("RCPT TO:<alice@lab.example> ORCPT=alice", 501),
                 ("RCPT TO:<alice@lab.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@x", 250))
        t.equal([peer.command(command).code for command, _ in cases], [code for _, code in cases],
                "parameters are checked")
    with here.connect() as peer:
        peer.reply()
        peer.command("HELO out.plain.example")
        t.equal(peer.command("MAIL FROM:<a@plain.example> RET=HDRS").code, 555, "after HELO there are none")


def failures(t, here, reports):
    send(here, 1, ("alice@lab.example", ""), (GHOST, "NOTIFY=FAILURE ORCPT=rfc822;first+2Btag@plain.example"),
         mail="RET=HDRS ENVID=QQ+20314")
    _, fields, original = reports.next()
    t.equal((fields[0]["Original-Envelope-Id"], fields[1]["Original-Recipient"], fields[1]["Action"]),
            ("QQ 314", "rfc822; first+tag@plain.example", "failed"),
            "a failure is told with the envelope id and the original recipient")
    t.equal(original.get_content_type(), "text/rfc822-headers", "RET=HDRS: the header comes back")
    send(here, 2, (GHOST, ""), mail="RET=FULL")
    _, _, original = reports.next()
    t.equal(original.get_content_type(), "message/rfc822", "RET=FULL: the mail comes back")
    t.contains(original.get_content().get_content(), "body of 2", "with its body")


def successes(t, here, reports):
    send(here, 3, ("alice@lab.example", "NOTIFY=SUCCESS,FAILURE"), ("bob@lab.example", ""))
    report, fields, _ = reports.next()
    t.equal((report["Subject"], len(fields), fields[1]["Action"], fields[1]["Final-Recipient"]),
            ("Your mail was delivered", 2, "delivered", "rfc822; alice@lab.example"),
            "success is told of the recipient for whom it was asked")
    never = send(here, 4, (GHOST, "NOTIFY=NEVER"))
    proc.wait_until(lambda: never in here.gateway.tool("queue", "list", "--dead", "-c", here.gateway.config),
                    30, "the mail is dead", log=here.gateway.log)
    t.equal(len(reports.sink.mails), reports.seen, "NOTIFY=NEVER: nobody is told; the mail is dead, not lost")
    return never


def delays(t, here, reports, dead):
    proc.wait_until(lambda: here.dovecot.count("postmaster") > 0, 60, "postmaster has a mail",
                    log=here.gateway.log)
    word = here.dovecot.messages("postmaster")[0].decode()
    t.contains(word, dead, "postmaster is told of the dead mail")
    t.contains(word, "Return-Path: <>", "by a mail from nobody")
    here.dovecot.stop()
    send(here, 5, ("alice@lab.example", ""))
    send(here, 6, ("alice@lab.example", "NOTIFY=FAILURE"), sender="patient@plain.example")
    report, fields, _ = reports.next()
    t.equal((report["Subject"], report["To"], fields[1]["Action"]),
            ("Your mail is delayed", "sender@plain.example", "delayed"),
            "with Dovecot away the sender is warned of the delay")
    t.ok(fields[1]["Will-Retry-Until"], "and told how long it is tried")
    here.dovecot.start()
    here.gateway.tool("queue", "flush", "ALL", "-c", here.gateway.config)
    here.dovecot.wait_for(4, "alice", 60)
    t.equal(len(reports.sink.mails), reports.seen, "who did not ask for delays is not warned")


def main():
    sink = relay.Relay()
    settings = {
        "delivery": {"retry_min": "1s", "retry_max": "2s", "warn": "3s"},
        "relay": {"url": f"smtp://127.0.0.1:{sink.port}"},
        "spool": {"report": "5s"},
    }
    with tap.Tests("dsn", limit_s=240) as t, lab.temporary(settings, start_gateway=False) as here:
        with open(f"{here.state}/recipients", "a", encoding="utf-8") as f:
            f.write(GHOST + "\n")  # we believe in it, Dovecot does not
        here.start_gateway()
        reports = Reports(here, sink)
        parameters(t, here)
        failures(t, here, reports)
        dead = successes(t, here, reports)
        delays(t, here, reports, dead)
        t.ok(here.gateway.stop(), "the daemon ends by itself")


if __name__ == "__main__":
    main()

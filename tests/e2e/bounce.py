#!/usr/bin/python3
"""What cannot be delivered is told to its sender through the relay, or is dead; nothing disappears."""

import email
import email.policy
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, proc, relay, senders, tap  # noqa: E402


def send(here, number, sender, *recipients, source=None):
    with here.connect(source=source) as peer:
        peer.hello()
        reply = peer.mail(sender, recipients, senders.message("plain.example", number=number))
        assert reply.code == 250, reply
        return reply.text.split()[-1]


def listed(here, *options):
    words = here.gateway.tool("queue", "list", "-j", "-c", here.gateway.config, *options)
    return {mail["id"]: mail for mail in map(json.loads, words.splitlines())}


def check_report(t, sink, queue_id):
    sender, recipients, content = sink.mails[0]
    t.equal((sender, recipients), (b"", ["sender@plain.example"]), "from nobody, to the sender")
    report = email.message_from_bytes(content, policy=email.policy.default)
    t.equal((report.get_content_type(), report.get_param("report-type")),
            ("multipart/report", "delivery-status"), "it is a report of RFC 3464")
    t.equal(report.defects, [], "that parses without a defect")
    words, status, original = report.iter_parts()
    t.contains(words.get_content(), "<ghost@lab.example>", "says in words who was not reached")
    t.equal(status.get_content_type(), "message/delivery-status", "and in fields")
    fields = status.get_payload()
    t.equal(len(fields), 2, "one recipient failed")
    t.equal((fields[1]["Action"], fields[1]["Status"], fields[1]["Final-Recipient"]),
            ("failed", "5.1.1", "rfc822; ghost@lab.example"), "with Dovecot's status")
    t.contains(fields[1]["Diagnostic-Code"], "5.1.1", "and its words")
    t.equal(fields[0]["X-Postern-Queue-ID"], queue_id, "and our queue id")
    t.contains(original.get_content(), "<1@plain.example>", "the header of the mail comes back")


def main():
    sink = relay.Relay()
    settings = {
        "delivery": {"retry_min": "1s", "retry_max": "2s"},
        "relay": {"url": f"smtp://127.0.0.1:{sink.port}"},
        "spool": {"dead_keep": "1d"},
    }
    with tap.Tests("bounce", limit_s=180) as t, lab.temporary(settings) as here:
        with open(f"{here.state}/recipients", "a", encoding="utf-8") as f:
            f.write("ghost@lab.example\n")  # we believe in it, Dovecot does not
        here.gateway.stop()
        here.start_gateway()

        sink.answers = ["450 4.2.1 later"]
        first = send(here, 1, "sender@plain.example", "alice@lab.example", "ghost@lab.example")
        here.dovecot.wait_for(1, "alice", 30)
        proc.wait_until(lambda: sink.mails, 30, "the sink has the bounce", log=here.gateway.log)
        check_report(t, sink, first)
        proc.wait_until(lambda: not listed(here), 20, "the queue is empty", log=here.gateway.log)
        t.ok(True, "a bounce the relay deferred was tried again, and both mails are gone")

        null = send(here, 2, "", "ghost@lab.example")
        forged = send(here, 3, "victim@plain.example", "ghost@lab.example",
                      source=senders.UNLISTED_IP)
        sink.answers = ["550 5.1.1 unknown"]
        refused = send(here, 4, "sender@plain.example", "ghost@lab.example")
        proc.wait_until(lambda: len(listed(here, "--dead")) == 3, 30, "three are dead",
                        log=here.gateway.log)
        dead = listed(here, "--dead")
        t.ok(null in dead, "the null sender is never told: dead")
        t.ok(forged in dead, "nor one that may be forged: dead")
        t.ok(refused not in dead and any(mail["from"] == "" and mail["to"] == ["sender@plain.example"]
                                         for mail in dead.values()),
             "a bounce that the relay refuses is dead itself, and is not bounced")
        t.equal(len(sink.mails), 1, "the relay got no more than it took")

        here.gateway.stop()
        t.equal(sorted(listed(here, "--dead")), sorted(dead), "the dead are listed with the daemon down")
        here.start_gateway()
        t.equal(sorted(listed(here, "--dead")), sorted(dead), "and are so after a restart")
        folder = f"{here.state}/exported"
        os.mkdir(folder)
        here.gateway.tool("queue", "export", "--dead", "--eml", folder, "-c", here.gateway.config)
        t.equal(sorted(os.listdir(folder)), sorted(f"{queue_id}.eml" for queue_id in dead),
                "each is exported to a file")
        with open(f"{folder}/{null}.eml", "rb") as f:
            t.contains(f.read().decode(), "Received: from", "as it would be delivered")
        t.equal(listed(here, "--dead", "--older", "1h"), {}, "none is an hour old")
        here.gateway.tool("queue", "requeue", null, "-c", here.gateway.config)
        proc.wait_until(lambda: listed(here, "--dead", "-r", "5.1.1").keys() == {null}, 20,
                        "the revived one was tried again, and is dead again", log=here.gateway.log)
        with open(here.gateway.log, encoding="utf-8") as f:
            log = f.read()
        t.contains(log, f"{first}: event=bounced", "the bounce is logged")
        t.contains(log, f"{null}: event=dead", "and what died")


if __name__ == "__main__":
    main()

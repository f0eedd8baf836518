#!/usr/bin/python3
"""postern queue and postern trace, with the daemon up and down."""

import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, proc, senders, tap  # noqa: E402


def send(here, number, *recipients):
    with here.connect() as peer:
        peer.hello()
        reply = peer.mail("sender@plain.example", recipients,
                          senders.message("plain.example", number=number))
    return reply.text.split()[-1] if reply.code == 250 else str(reply)


class Queue:
    def __init__(self, here):
        self.here = here

    def __call__(self, *words):
        return self.here.gateway.tool("queue", "-c", self.here.gateway.config, *words, check=False)

    def list(self, *words):
        said = self("-j", "list", *words)
        try:
            return {mail["id"]: mail for mail in map(json.loads, said.splitlines())}
        except ValueError:
            raise proc.LabError(f"queue list -j printed no JSON: {said}", "see there") from None

    def states(self):
        return {queue_id: mail["state"] for queue_id, mail in self.list().items()}


def trace(here, queue_id, *options):
    return here.gateway.tool("trace", *options, "-c", here.gateway.config, queue_id, check=False)


def events(here, queue_id):
    said = trace(here, queue_id, "-j")
    try:
        return json.loads(said)["events"]
    except ValueError:
        raise proc.LabError(f"trace -j printed no JSON: {said}", "see there") from None


def listing(t, here, queue, first, second):
    mails = queue.list()
    t.equal(sorted(mails), sorted([first, second]), "list -j names what is undelivered")
    mail = mails[second]
    t.equal((mail["from"], mail["to"]),
            ("sender@plain.example", ["alice@lab.example", "bob@lab.example"]),
            "with sender and recipients")
    t.contains(mail["client"], senders.CLIENT_IP, "and client")
    t.equal(sorted(queue.list(first)), [first], "list ID lists that one")
    text = queue("list")
    for part in (first, second, "<sender@plain.example>", "2 mails"):
        t.contains(text, part, f"list prints {part.strip('<>')}")
    t.contains(queue("show", first), "Message-ID: <1@plain.example>", "show prints the mail")
    t.equal(sorted(queue.list("-t", "bob")), [second], "-t filters by recipient")
    t.equal(sorted(queue.list("-f", "plain.example")), sorted([first, second]),
            "-f filters by sender")
    t.equal(queue.list("-f", "elsewhere"), {}, "and leaves out the others")
    t.equal(queue.list("-s", "hold"), {}, "-s filters by state")
    shape = [line.split()[:3] for line in queue("shape").splitlines()[1:]]
    t.equal(shape, [["TOTAL", "3", "3"], ["lab.example", "3", "3"]], "shape counts recipients by domain and age")
    t.contains(queue("shape", "--senders", "-j"), '"domain":"plain.example","total":2', "or mails by sender, as JSON")


def orders(t, here, queue, first, second):
    queue("hold", first)
    t.equal(queue.states()[first], "hold", "hold holds")
    t.equal(sorted(queue.list("-s", "hold")), [first], "list -s hold shows it")
    here.gateway.stop()
    t.equal(sorted(queue.list()), sorted([first, second]), "the queue is read with the daemon down")
    t.equal(queue.states()[first], "hold", "and knows what is held")
    t.contains(queue("hold", second), "does not answer", "an order says that nobody takes it")
    t.contains(trace(here, first), "decided: accept", "the trace of a queued mail is there too")
    t.ok(any(e["event"] == "decided" for e in events(here, first)), "and so it is as JSON")
    here.start_gateway()
    t.equal(queue.states()[first], "hold", "it is held after a restart")
    t.contains(queue("delete", "NOT-AN-ID"), "is no queue id", "a wrong id is named")

    here.dovecot.start()
    queue("flush", "ALL")
    here.dovecot.wait_for(1, "bob", 30)
    proc.wait_until(lambda: sorted(queue.list()) == [first], 20, "the held one alone is left")
    t.ok(True, "flush sends what waits, and not what is held")
    queue("release", first)
    t.equal(len(here.dovecot.wait_for(2, "alice", 30)), 2, "release sends it")
    proc.wait_until(lambda: not queue.list(), 20, "the queue is empty")

    here.dovecot.stop()
    third = send(here, 3, "alice@lab.example")
    queue("delete", third)
    proc.wait_until(lambda: not queue.list(), 20, "the deleted mail is gone")
    here.dovecot.start()
    fourth = send(here, 4, "alice@lab.example")
    t.equal(len(here.dovecot.wait_for(3, "alice", 30)), 3, "what was deleted is never delivered")
    return fourth


def traces(t, here, first, fourth):
    text = trace(here, fourth)
    for part in (f"client [{senders.CLIENT_IP}]", "from <sender@plain.example>",
                 "to <alice@lab.example>", "ask TXT", "decided: accept", "queued"):
        t.contains(text, part, f"the trace of a delivered mail says {part!r}")
    answers = {(e["type"], e["name"]): e for e in events(here, fourth) if e["event"] == "answer"}
    spf = answers.get(("TXT", "plain.example"), {})
    t.equal((spf.get("outcome"), spf.get("records")), ("ok", ["v=spf1 mx -all"]),
            "trace -j has every DNS answer")
    asked = [e["at_us"] for e in events(here, fourth)
             if e["event"] == "ask" and e["name"] == "plain.example"]
    t.ok(asked and min(asked) <= spf.get("at_us", -1), "and when it was asked and answered")
    verdict = [e for e in events(here, fourth) if e["event"] == "verdict"]
    t.equal([e["spf"] for e in verdict], ["pass"], "and the verdict")
    t.contains(text, 'answer TXT plain.example ok "v=spf1 mx -all"', "as the text has")
    t.contains(trace(here, first[:-1] + ("0" if first[-1] != "0" else "1")), "neither",
               "an unknown mail is said to be unknown")
    with here.connect() as peer:
        peer.hello()
        reply = peer.mail("sender@pass.example", ["alice@lab.example"],
                          senders.message("pass.example"))
    t.equal(reply.code, 250, "a second sender's mail is taken")
    t.contains(trace(here, reply.text.split()[-1]), "from <sender@pass.example>",
               "each mail has its own trace")


def reload(t, here):
    with here.connect() as peer:
        peer.hello()
        t.equal(peer.envelope("a@plain.example", "a@second.example")[1].code, 550,
                "a domain that is not ours is refused")
        with open(here.gateway.config, encoding="utf-8") as f:
            good = f.read()
        with open(here.gateway.config, "w", encoding="utf-8") as f:
            f.write(good + "nonsense: 1\n")
        os.kill(here.gateway.process.pid, signal.SIGHUP)
        proc.wait_until(lambda: "event=reload-refused" in log(here), 10, "the refusal is logged")
        t.contains(log(here), "nonsense", "a bad file is refused, and what is wrong is named")
        t.equal(peer.command("RCPT TO:<alice@lab.example>").code, 250, "the old settings stay")
        with open(here.gateway.config, "w", encoding="utf-8") as f:
            f.write(good.replace("- lab.example\n", "- lab.example\n- second.example\n"))
        with open(f"{here.state}/recipients", "a", encoding="utf-8") as f:
            f.write("@second.example\n")
        os.kill(here.gateway.process.pid, signal.SIGHUP)
        proc.wait_until(lambda: "event=reloaded" in log(here), 10, "the reload is logged")
        t.equal(peer.command("RCPT TO:<a@second.example>").code, 250,
                "after a reload it is ours, on an open connection too")


def log(here):
    with open(here.gateway.log, encoding="utf-8", errors="replace") as f:
        return f.read()


def main():
    settings = {"delivery": {"retry_min": "30s", "retry_max": "60s"}}
    with tap.Tests("queue", limit_s=240) as t, lab.temporary(settings) as here:
        queue = Queue(here)
        here.dovecot.stop()
        first = send(here, 1, "alice@lab.example")
        second = send(here, 2, "alice@lab.example", "bob@lab.example")
        listing(t, here, queue, first, second)
        fourth = orders(t, here, queue, first, second)
        traces(t, here, first, fourth)
        reload(t, here)
        t.ok(here.gateway.stop(), "the daemon ends by itself")


if __name__ == "__main__":
    main()

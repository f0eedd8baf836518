#!/usr/bin/python3
"""Mail of one domain that pretends to be another's, through the running gateway: refused, or marked
as what it is; and nothing that a client says breaks out of Authentication-Results or of the JSON log."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import hostile, lab, proc, results, senders, tap  # noqa: E402

EVIL, BANK = "none.example", "pass.example"
MAILS_PER_CONNECTION = 20
TO = ["alice@lab.example"]


# How the two are spelled in the cases.
SPELLED = {"evil": "none", "bank": "pass", "BANK": "PASS", "ｂａｎｋ": "ｐａｓｓ", "ba\u00adnk": "pa\u00adss"}


def as_in_the_lab(section):
    for word, other in SPELLED.items():
        section = section.replace(word.encode(), other.encode())
    return section


def verdicts(stored):
    """Our field of each mail, and the number in its Subject."""
    out = {}
    for message in stored:
        field = lab.fields(message, "Authentication-Results")[0]
        out[lab.fields(message, "Subject")[-1]] = field
    return out


def send_all(here, mails):
    """The replies to (sender, text)."""
    replies = []
    for at in range(0, len(mails), MAILS_PER_CONNECTION):
        with here.connect() as peer:
            peer.hello()
            for sender, text in mails[at:at + MAILS_PER_CONNECTION]:
                replies.append(peer.mail(sender, TO, text))
                if replies[-1].code >= 400:
                    peer.command("RSET")
    return replies


def authors(t, here):
    cases = [(as_in_the_lab(section), wanted) for section, wanted in hostile.FROMS]
    texts = [b"X: y\r\n" + section + b"\r\nSubject: case %d\r\n\r\nhi\r\n" % i for i, (section, _) in enumerate(cases)]
    replies = send_all(here, [(f"x@{EVIL}", text) for text in texts])
    taken = [i for i, reply in enumerate(replies) if reply.code == 250]
    fields = verdicts(here.dovecot.wait_for(len(taken), "alice", timeout_s=60))
    wrong = []
    for i, ((section, wanted), reply) in enumerate(zip(cases, replies)):
        if wanted in ("permerror", "fail"):
            if reply.code != 550:
                wrong.append(f"{section!r}: {reply}")
        else:
            field = fields.get(f"case {i}", "not delivered")
            good = "dmarc=pass" in field and f"header.from={EVIL}" in field if wanted == "evil" \
                else "dmarc=none" in field
            if reply.code != 250 or not good:
                wrong.append(f"{section!r}: {reply}: {field}")
    t.equal(wrong, [], f"none of {len(cases)} authors passes for {BANK}, all others pass")
    return len(taken)


def said():
    """(MAIL FROM, HELO, field) with something in it that wants to get out."""
    for payload in hostile.PAYLOADS:
        word = "".join(c for c in payload if 32 <= ord(c) < 127)[:60]
        quoted = word.replace("\\", "\\\\").replace('"', '\\"')
        yield f'"{quoted}"@{EVIL}', None, b""
        yield f"x@{EVIL}", word.replace(" ", "") or "x", b""
        yield "", word.replace(" ", "") or "x", b""
        signature = f"DKIM-Signature: v=1; a=rsa-sha256; d={word}; s={word}; i={word}; h=from; bh=AA==; b={word}\r\n"
        yield f"x@{EVIL}", None, signature.encode()


def one_said(here, sender, helo, field, i):
    with here.connect() as peer:
        peer.hello(*((helo,) if helo else ()))
        text = field + b"From: x@%b\r\nSubject: said %d\r\n\r\nhi\r\n" % (EVIL.encode(), i)
        return peer.mail(sender, TO, text).code


def injections(t, here, before):
    cases = list(said())
    codes = [one_said(here, *case, i) for i, case in enumerate(cases)]
    taken = [i for i, code in enumerate(codes) if code == 250]
    fields = verdicts(here.dovecot.wait_for(before + len(taken), "alice", timeout_s=60))
    wrong = []
    for i in taken:
        field = fields[f"said {i}"]
        try:
            authserv_id, found = results.parse(f"Authentication-Results: {field}\r\n")
        except ValueError as error:
            wrong.append(f"{cases[i]}: {error}: {field}")
            continue
        dmarc = [result for method, result in found if method == "dmarc"]
        if authserv_id != senders.GATEWAY_NAME or len(dmarc) != 1 or \
                {m for m, _ in found} - {"spf", "iprev", "dkim", "dmarc", "arc"}:
            wrong.append(f"{cases[i]}: {field}")
    t.equal(wrong, [], f"nothing of {len(taken)} mails breaks out of the field")
    t.ok(len(taken) > len(cases) // 2, "most of them came so far", f"{len(taken)} of {len(cases)}")


def log_lines(here):
    """The log's lines that are whole."""
    with open(here.gateway.log, encoding="utf-8") as f:
        return [line for line in f if line.endswith("\n") and line.startswith("{")]


def traces_in_the_log(t, here):
    """One mail more; by then all before it has been logged."""
    with here.connect() as peer:
        peer.hello("last.said.example")
        reply = peer.mail(f"x@{EVIL}", TO, b"From: x@%b\r\n\r\nhi\r\n" % EVIL.encode())
    queue_id = reply.text.split()[-1]

    def traced():
        return [line for line in log_lines(here) if '"event":"trace"' in line and queue_id in line]

    proc.wait_until(traced, 60, "the trace of the last mail in the log", log=here.gateway.log)
    wrong = []
    for line in log_lines(here):
        try:
            json.loads(line)
        except ValueError as error:
            wrong.append(f"{error}: {line}")
    t.equal(wrong, [], f"each of {len(log_lines(here))} log lines is JSON, whatever was said")
    trace = json.loads(traced()[0])
    t.equal((trace["qid"], trace["severity"]), (queue_id, "info"), "event=trace names its mail")
    events = {}
    for event in trace["events"]:
        events.setdefault(event["event"], []).append(event)
    for name in ("client", "from", "to", "ask", "answer", "header_complete", "content_complete", "verdict", "decided",
                 "end"):
        t.ok(name in events, f"the trace has {name}", str(trace))
    t.ok(any(a["name"] == EVIL and a["records"] == ["v=spf1 mx -all"] for a in events["answer"]),
         "and the DNS answers used", str(events["answer"]))
    times = [event["at_us"] for event in trace["events"] if "at_us" in event]
    t.equal(times, sorted(times), "in the order of time")


def main():
    with tap.Tests("hostile senders", limit_s=180) as t, \
            lab.temporary({"policy": {"dmarc": {"on_reject": "reject"}}, "log": {"format": "json"}}) as here:
        injections(t, here, authors(t, here))
        traces_in_the_log(t, here)


if __name__ == "__main__":
    main()

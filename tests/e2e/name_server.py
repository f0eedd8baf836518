#!/usr/bin/python3
"""Verdicts by a real name server (dns.forward), and trouble with it: never a false verdict, never a 5xx."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, senders, tap  # noqa: E402


def send(here, domain, text, source=None):
    with here.connect(source=source, timeout_s=60) as peer:
        peer.hello(f"out.{domain}")
        return peer.mail(f"sender@{domain}", ["alice@lab.example"], text)


def by_a_name_server(t):
    settings = {"dns": {"timeout": "2s"}, "auth": {"patience": "5s"}}
    with lab.temporary(settings, dns="forward") as here:
        text = here.signed("pass.example", senders.message("pass.example"))
        reply = send(here, "pass.example", text)
        t.equal(reply.code, 250, "records asked of a name server: taken")
        stored = here.dovecot.wait_for(1, "alice")[0]
        results = " ".join(lab.fields(stored, "Authentication-Results"))
        for word in ("spf=pass", "dkim=pass", "dmarc=pass"):
            t.contains(results, word, f"by a name server: {word}")
        reply = send(here, "pass.example", text.replace(b"Hello", b"Altered"), senders.UNLISTED_IP)
        t.ok(reply.starts("550 5.7.1 "), "altered and unlisted under p=reject: 550", str(reply))

        here.nsd.stop()
        for domain in ("junk.example", "none.example"):
            reply = send(here, domain, senders.message(domain), senders.UNLISTED_IP)
            t.ok(reply.code < 500, f"with the name server gone: no permanent refusal of {domain}",
                 str(reply))
            t.equal(reply.code, 451, f"but 451: the record of {domain} might say reject")
        t.equal(here.dovecot.count("alice"), 1, "and nothing was delivered without a verdict")


def by_records_that_fail(t):
    with lab.temporary() as here:
        for domain in ("broken.example", "silent.example"):
            reply = send(here, domain, senders.message(domain))
            t.ok(reply.starts("451 4."), f"no answer for the DMARC record of {domain}: 451, "
                                         "for it might say reject", str(reply))
        t.equal(here.dovecot.count("alice"), 0, "nothing of it was delivered")


def main():
    with tap.Tests("name_server", limit_s=180) as t:
        by_a_name_server(t)
        by_records_that_fail(t)


if __name__ == "__main__":
    main()

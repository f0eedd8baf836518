#!/usr/bin/python3
"""One mail from a real client (swaks) through the device into Dovecot's mailbox, and its verdict."""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, proc, seal, senders, tap, verify  # noqa: E402

QUEUED = re.compile(r"250 2\.0\.0 Ok: queued as (\S+)")


class Swaks:
    def __init__(self, here, text, sender, to, server=senders.GATEWAY_IP, source=None):
        path = f"{here.state}/swaks.mail"
        with open(path, "wb") as f:
            f.write(text.removesuffix(b"\r\n"))  # swaks ends the last line itself
        options = ["--local-interface", source] if source else []
        self.log = here.run("swaks", "--server", server, "--helo", "out.pass.example",
                            "--from", sender, "--to", to, "--data", f"@{path}", *options,
                            check=False)
        queued = QUEUED.search(self.log)
        self.queue_id = queued.group(1) if queued else None

    def refusal(self):
        """The last refusal the client saw."""
        lines = [line[4:] for line in self.log.splitlines() if line.startswith("<** ")]
        return lines[-1].strip() if lines else ""


def log_of(here):
    with open(here.gateway.log, encoding="utf-8", errors="replace") as f:
        return f.read()


def results(stored):
    return " ".join(lab.fields(stored, "Authentication-Results"))


def passes_everything(t, here, server, algorithm):
    before = here.dovecot.count("alice")
    text = here.signed("pass.example", senders.message("pass.example", "Grüße\n.dot\n"),
                       algorithm=algorithm)
    sent = Swaks(here, text, "sender@pass.example", "alice@lab.example", server)
    what = f"{algorithm} mail to {server}"
    if not t.ok(sent.queue_id, f"{what}: 250 names the queue id", sent.log):
        return
    stored = here.dovecot.wait_for(before + 1, "alice")[-1]
    for word in ("spf=pass", "dkim=pass", "dmarc=pass"):
        t.contains(results(stored), word, f"{what}: the mailbox shows {word}")
    added = lab.added_and_content(stored, text)
    if not t.ok(added is not None, f"{what}: arrives byte for byte below the added fields",
                f"{stored!r}"):
        return
    received = [f for f in lab.fields(added, "Received") if f"by {senders.GATEWAY_NAME}" in f]
    t.equal(len(received), 1, f"{what}: one Received field is ours")
    client = senders.CLIENT_IP6 if ":" in server else senders.CLIENT_IP
    for part in ("from out.pass.example", client, sent.queue_id, "with ESMTP"):
        t.contains(" ".join(received), part, f"{what}: Received says {part.split()[0]}")
    # The logger's thread writes a little later.
    proc.wait_until(lambda: f"{sent.queue_id}: " in log_of(here), 10, "the queue id in the log",
                    log=here.gateway.log)


def says_how_it_computes(t, here):
    proc.wait_until(lambda: "event=started" in log_of(here), 20, "the start in the log", log=here.gateway.log)
    t.ok(re.search(r"event=started io=\d+ rsa=(avx512-ifma|avx2|openssl) hash=[a-z0-9+-]+", log_of(here)),
         "the log says how RSA and hashes are computed", log_of(here)[:500])


def altered(here, domain):
    text = here.signed(domain, senders.message(domain, "Pay 10 to account 1\n"))
    return text.replace(b"Pay 10 ", b"Pay 99 ")


# The gateway seals as one of the senders, and trusts one of them as a sealer.
CONFIG = {"auth": {"seal": {"key": "keys/rsa.pem", "domain": "plain.example",
                            "selector": senders.SELECTORS["rsa"]}},
          "policy": {"trusted_sealers": ["plain.example"]}}


def arc_of(here, message):
    with open(here.zone, encoding="utf-8") as f:
        return verify.verify(f.read(), message)["arc"]


def forwarded(here, domain, sealer):
    """As from a mailing list: altered, so that its signature is broken, and sealed by the list."""
    found = (f"Authentication-Results: list.example; arc=none; dmarc=pass header.from={domain}"
             "\r\n").encode()
    return seal.seal(found + altered(here, domain), f"{here.keys}/rsa.pem", sealer,
                     senders.SELECTORS["rsa"], "list.example")


def sealing(t, here):
    before = here.dovecot.count("alice")
    sent = Swaks(here, senders.message("plain.example"), "sender@plain.example",
                 "alice@lab.example")
    stored = here.dovecot.wait_for(before + 1, "alice")[-1]
    arc = arc_of(here, stored)
    t.equal((arc["result"], arc["chain_length"]), ("pass", 1), "the gateway's own seal is valid")
    t.contains(here.gateway.tool("trace", "-c", here.gateway.config, sent.queue_id, check=False),
               "sealed as set 1 of its ARC chain, cv=none", "the trace tells of it")

    sent = Swaks(here, forwarded(here, "pass.example", "plain.example"), "list@plain.example",
                 "alice@lab.example", source=senders.UNLISTED_IP)
    t.ok(sent.queue_id, "a DMARC fail that a trusted sealer vouches for: taken", sent.log)
    stored = here.dovecot.wait_for(before + 2, "alice")[-1]
    for part in ("dmarc=fail", "(p=reject override=local_policy trusted-sealer)", "arc=pass"):
        t.contains(results(stored), part, f"the mailbox shows {part}")
    arc = arc_of(here, stored)
    t.equal((arc["result"], arc["chain_length"]), ("pass", 2), "and its chain has grown by one set")
    proc.wait_until(lambda: re.search(f"{sent.queue_id}: event=accept .*override=local_policy",
                                      log_of(here)), 10, "the log tells of it",
                    log=here.gateway.log)
    sent = Swaks(here, forwarded(here, "pass.example", "none.example"), "list@plain.example",
                 "alice@lab.example", source=senders.UNLISTED_IP)
    t.ok(sent.refusal().startswith("550 5.7.1 "), "sealed by anybody else: refused", sent.log)


def main():
    with tap.Tests("first_mail", limit_s=240) as t, lab.temporary(CONFIG) as here:
        says_how_it_computes(t, here)
        for server, algorithm in ((senders.GATEWAY_IP, "rsa"), (senders.GATEWAY_IP6, "rsa"),
                                  (senders.GATEWAY_IP, "ed25519")):
            passes_everything(t, here, server, algorithm)

        sealing(t, here)

        before = here.dovecot.count("alice")
        sent = Swaks(here, altered(here, "none.example"), "sender@none.example",
                     "alice@lab.example", source=senders.UNLISTED_IP)
        t.ok(sent.queue_id, "altered and from an unlisted address under p=none: taken", sent.log)
        stored = here.dovecot.wait_for(before + 1, "alice")[-1]
        for word in ("spf=fail", "dkim=fail", "dmarc=fail"):
            t.contains(results(stored), word, f"the same: the mailbox shows {word}")

        sent = Swaks(here, altered(here, "pass.example"), "sender@pass.example",
                     "bob@lab.example", source=senders.UNLISTED_IP)
        t.ok(sent.refusal().startswith("550 5.7.1 ") and "DMARC" in sent.refusal(),
             "the same under p=reject with on_reject: reject: 550 5.7.1 at the end of data",
             sent.log)
        t.contains(sent.refusal(), "pass.example", "the refusal names the domain")
        t.ok(re.search(r"^<-  354 ", sent.log, re.M), "it was refused after the data, not before",
             sent.log)

        before = here.dovecot.count("alice", "Junk")
        sent = Swaks(here, b"X-Postern-Quarantine: no\r\n" + altered(here, "junk.example"),
                     "sender@junk.example", "alice@lab.example", source=senders.UNLISTED_IP)
        t.ok(sent.queue_id, "the same under p=quarantine: taken", sent.log)
        here.dovecot.wait_for(before + 1, "alice", folder="Junk")
        t.ok(True, "and filed into Junk by the shipped Sieve rule")
        before = here.dovecot.count("alice")
        sent = Swaks(here, b"X-Postern-Quarantine: yes\r\n" + senders.message("plain.example"),
                     "sender@plain.example", "alice@lab.example")
        stored = here.dovecot.wait_for(before + 1, "alice")[-1]
        t.ok(b"X-Postern" not in stored, "an inbound X-Postern- field is cut", stored.decode())

        forged = (f"Authentication-Results: {senders.GATEWAY_NAME}; dmarc=pass header.from="
                  "bank.example\r\n").encode()
        before = here.dovecot.count("alice")
        sent = Swaks(here, forged + senders.message("plain.example"), "sender@plain.example",
                     "alice@lab.example")
        stored = here.dovecot.wait_for(before + 1, "alice")[-1]
        t.ok("bank.example" not in results(stored),
             "an inbound Authentication-Results that claims our id is cut", stored.decode())

        t.equal(here.dovecot.count("bob"), 0, "nothing refused has been delivered")
        t.ok(here.gateway.stop(), "SIGTERM ends the daemon by itself")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""postern dns check by a zone file and by a real name server: the same words, and the exit code of a script."""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import gateway, lab, senders, tap  # noqa: E402

SELECTOR = senders.SELECTORS["rsa"]


def check(*words):
    """(exit code, what was printed)"""
    done = subprocess.run([os.path.join(gateway.build_dir(), "postern"), "dns", "check", *words],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return done.returncode, done.stdout


def main():
    settings = {"dns": {"timeout": "2s"}}
    with tap.Tests("dns_check", limit_s=120) as t, \
            lab.temporary(settings, dns="forward", start_gateway=False) as here:
        for domain, part in (("pass.example", f"{SELECTOR}: RSA of"),
                             ("none.example", "p=none"),
                             (senders.DOMAIN, "no SPF record"),
                             ("nowhere.example", "there is no domain nowhere.example")):
            by_file = check("--zone", here.zone, "--selector", SELECTOR, domain)
            by_server = check("-c", here.gateway.config, "--selector", SELECTOR, domain)
            t.contains(by_file[1], part, f"{domain}: says `{part}'")
            t.equal(by_server, by_file, f"{domain}: the same of a name server")
        t.equal(check("--zone", here.zone, "--selector", SELECTOR, "pass.example")[0], 0,
                "a domain without a problem exits 0")
        t.equal(check("--zone", here.zone, "--selector", "none", "pass.example")[0], 1,
                "one with a problem exits 1")
        here.nsd.stop()
        code, said = check("-c", here.gateway.config, "pass.example")
        t.contains(said, "no answer for pass.example", "with the name server gone it says so")
        t.equal(code, 75, "and exits 75: to be tried again")
        for words in ([], ["a..b"], ["--zone", "/nonexistent/zone", "pass.example"], ["a.example", "b.example"]):
            code, said = check(*words)
            t.ok(code in (64, 66) and said.startswith("postern: ") and said.count("\n") == 1,
                 f"dns check {' '.join(words)}: one line says what is wrong", said)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""DKIM both ways with Debian's python3-dkim: what it signs verifies here, what we sign verifies there."""

import itertools
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import seal, senders, tap, verify  # noqa: E402

import dkim  # noqa: E402

DOMAIN = "pass.example"
BODY = "Two  blanks \n\t tab\n\n.dot\n \nend \n\n\n"


def main():
    with tap.Tests("peers dkim", limit_s=120) as t, tempfile.TemporaryDirectory() as keys:
        senders.make_keys(keys)
        zone = senders.zone(keys)
        message = senders.message(DOMAIN, BODY, subject="folded\r\n\t and  spaced ")
        ways = list(itertools.product(senders.SELECTORS, ("simple", "relaxed"),
                                      ("simple", "relaxed")))

        def ours(way):
            algorithm, header, body = way
            text = senders.sign(keys, message, DOMAIN, algorithm, f"{header}/{body}")
            changed = text.replace(b"end ", b"End ")
            return [verify.verify(zone, m)["dkim"][0]["result"] for m in (text, changed)]

        for way, got in zip(ways, verify.each(ours, ways)):
            t.equal(got, ["pass", "fail"], f"signed there with {'/'.join(way)}: verified here, "
                    "and not once changed")

        for algorithm, selector in senders.SELECTORS.items():
            record = "".join(senders.dkim_record(keys, DOMAIN, algorithm).split('"')[1::2])
            text = seal.sign(message, f"{keys}/{algorithm}.pem", DOMAIN, selector)
            t.ok(dkim.verify(text, dnsfunc=lambda name, timeout=5, r=record: r.encode()),
                 f"signed here with {algorithm}: verified there")


if __name__ == "__main__":
    main()

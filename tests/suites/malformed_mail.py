#!/usr/bin/python3
"""Malformed messages through `postern verify`: no crash, and bare line feeds refused as they stand.

That they pass unchanged to the mailbox is shown by tests/e2e/content_unchanged.py.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import peers, senders, tap, verify  # noqa: E402

EX_DATAERR = 65


def main():
    folder = tap.suites_dir(peers.SOURCE, "mail")
    if not folder:
        tap.skip_all("no outside suites beside the checkout")
    names = sorted(n for n in os.listdir(folder) if n.endswith(".eml"))
    bare = set()

    def run(name):
        with open(f"{folder}/{name}", "rb") as f:
            raw = f.read()
        if raw.count(b"\n") != raw.count(b"\r\n"):
            bare.add(name)
        return [(verify.invoke("", text, "192.0.2.1", "client.invalid", "", options)[0:2])
                for text, options in ((senders.crlf(raw), ("--json",)), (raw, ("--json", "--lf")),
                                      (raw, ("--json",)))]

    with tap.Tests("mail", limit_s=300) as t:
        for name, (converted, by_option, unconverted) in zip(names, verify.each(run, names)):
            t.equal(converted[0], 0, f"{name} with CRLF gets a verdict")
            t.equal(by_option, converted, f"{name} with --lf gets the same verdict")
            if name in bare:
                t.equal(unconverted, (EX_DATAERR, ""), f"{name} with bare LF is refused")


if __name__ == "__main__":
    main()

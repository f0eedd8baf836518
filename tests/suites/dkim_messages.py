#!/usr/bin/python3
"""Real and RFC-sample DKIM messages through `postern verify`: one outcome per signature."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import peers, senders, tap, verify  # noqa: E402
from labkit.proc import LabError  # noqa: E402

NOT_PASS = {"fail", "neutral", "permerror", "policy"}


def as_expected(got, wanted):
    return len(got) == len(wanted) and all(
        g in NOT_PASS if w == "not-pass" else g == w for g, w in zip(got, wanted))


def main():
    folder = tap.suites_dir(peers.SOURCE, "dkim")
    if not folder:
        tap.skip_all("no outside suites beside the checkout")
    with open(f"{folder}/zone.txt", encoding="utf-8") as f:
        zone = f.read()
    with open(f"{folder}/expected.json", encoding="utf-8") as f:
        expected = json.load(f)["expect"]

    def run(name):
        with open(f"{folder}/{name}", "rb") as f:
            message = senders.crlf(f.read())
        try:
            return [s["result"] for s in verify.verify(zone, message)["dkim"]]
        except (LabError, ValueError, KeyError) as error:
            return [str(error)]

    with tap.Tests("dkim", limit_s=300) as t:
        for name, got in zip(expected, verify.each(run, list(expected))):
            t.ok(as_expected(got, expected[name]), f"DKIM {name}",
                 f"got {got}, expected {expected[name]}")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""ARC chains of the outside suite (166 cases that nobody disputes) through `postern verify`."""

import os
import sys

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import peers, senders, tap, verify  # noqa: E402
from labkit.proc import LabError  # noqa: E402

DISPUTED = {"as_format_tags_sc", "as_format_tags_dup", "as_format_tags_key_case",
            "as_format_inv_tag_key", "ams_fields_h_empty"}


def cases(path):
    with open(path, encoding="utf-8") as f:
        for document in yaml.safe_load_all(f):
            zone = "".join(verify.txt(name, text.encode())
                           for name, text in document["txt-records"].items())
            for name, case in document["tests"].items():
                if name not in DISPUTED:
                    yield name, zone, case


def judge(entry):
    """None when it is as expected, else what differs."""
    _, zone, case = entry
    wanted = (case["cv"] or "fail").lower()  # a blank cv means fail
    try:
        got = verify.verify(zone, senders.crlf(case["message"].encode()))["arc"]
    except (LabError, ValueError, KeyError) as error:
        return f"{error}"
    return None if got["result"] == wanted else f"{got}, expected {wanted}"


def main():
    folder = tap.suites_dir(peers.SOURCE, "arc")
    if not folder:
        tap.skip_all("no outside suites beside the checkout")
    with tap.Tests("arc", limit_s=300) as t:
        entries = list(cases(f"{folder}/arc-draft-validation-tests.yml"))
        for entry, problem in zip(entries, verify.each(judge, entries)):
            t.ok(problem is None, f"ARC {entry[0]}", f"{problem}")
        t.equal(len(entries), 166, "all 166 undisputed cases were run")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""The SPF test suite of RFC 7208 (203 cases) through `postern verify`."""

import os
import sys

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import peers, tap, verify  # noqa: E402
from labkit.proc import LabError  # noqa: E402

TYPES = ("A", "AAAA", "MX", "PTR", "TXT")
# The suite's word for "no explanation from the domain".
DEFAULT = "DEFAULT"


def lines_of(name, records):
    """The master-file lines of one name of the suite's zone data."""
    silent = "TIMEOUT" in records
    records = [r for r in records if r != "TIMEOUT"]
    listed = {kind for r in records for kind in r}
    if "TXT" not in listed:  # a record of type SPF stands for TXT
        records = [{"TXT" if kind == "SPF" else kind: v for kind, v in r.items()} for r in records]
    answered = set()
    for record in records:
        for kind, value in record.items():
            if kind == "SPF" or value == "NONE":
                continue
            answered.add(kind)
            if kind == "TXT":
                strings = value if isinstance(value, list) else [value]
                yield verify.txt(name, *(s.encode("latin-1") for s in strings))
            elif kind == "MX":
                yield f"{verify.owner(name)} 300 IN MX {value[0]} {verify.owner(value[1])}\n"
            elif kind in ("PTR", "CNAME"):
                yield f"{verify.owner(name)} 300 IN {kind} {verify.owner(value)}\n"
            else:
                yield f"{verify.owner(name)} 300 IN {kind} {value}\n"
    if silent:
        for kind in TYPES:
            if kind not in answered:
                yield f"{verify.owner(name)} 300 IN TIMEOUT {kind}\n"


def cases(path):
    with open(path, encoding="utf-8") as f:
        for document in yaml.safe_load_all(f):
            zone = "".join(line for name, records in document["zonedata"].items()
                           for line in lines_of(name, records))
            for name, case in document["tests"].items():
                yield f"{document['description']}: {name}", zone, case


def judge(entry):
    """None when it is as expected, else what differs."""
    _, zone, case = entry
    try:
        got = verify.verify(zone, ip=case["host"], helo=case["helo"],
                            mail_from=case["mailfrom"])["spf"]
    except (LabError, ValueError, KeyError) as error:
        return f"{error}"
    wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    if got["result"] not in wanted:
        return f"result {got['result']}, expected {' or '.join(wanted)}"
    explanation = case.get("explanation", DEFAULT)
    if got["result"] == "fail" and explanation != DEFAULT and got["explanation"] != explanation:
        return f"explanation {got['explanation']!r}, expected {explanation!r}"
    return None


def main():
    folder = tap.suites_dir(peers.SOURCE, "spf")
    if not folder:
        tap.skip_all("no outside suites beside the checkout")
    with tap.Tests("spf", limit_s=600) as t:
        entries = list(cases(f"{folder}/rfc7208-tests.yml"))
        for entry, problem in zip(entries, verify.each(judge, entries)):
            t.ok(problem is None, f"SPF {entry[0]}", f"{problem}\n{entry[2]}")
        t.equal(len(entries), 203, "all 203 cases of the suite were run")


if __name__ == "__main__":
    main()

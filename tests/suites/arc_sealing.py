#!/usr/bin/python3
"""The 17 sealing cases of the outside suite through `postern arc seal`, compared octet by octet with
the signatures it expects, and what was sealed through `postern verify`."""

import os
import re
import sys
import tempfile

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import peers, seal, senders, tap, verify  # noqa: E402
from labkit.proc import LabError  # noqa: E402


def tags(value):
    """A tag list as a dictionary, folding taken out."""
    pairs = (tag.split("=", 1) for tag in value.split(";") if tag.strip())
    return {name.strip(): re.sub(r"\s+", "", text) for name, text in pairs}


def blanks(value):
    """Runs of blanks as one, none beside semicolons."""
    return re.sub(r"\s*;\s*", ";", re.sub(r"\s+", " ", value)).strip()


def cases(path):
    with open(path, encoding="utf-8") as f:
        for document in yaml.safe_load_all(f):
            zone = "".join(verify.txt(name, re.sub(r"\s+", "", text).encode())
                           for name, text in document["txt-records"].items())
            for name, case in document["tests"].items():
                yield name, zone, document, case


def expected_verdict(case):
    return "fail" if "cv=fail" in case["AS"] else "pass"


def judge(entry):
    """None when it is as expected, else what differs."""
    _, zone, document, case = entry
    message = senders.crlf(case["message"].encode())
    with tempfile.NamedTemporaryFile("w", prefix="key.") as key:
        key.write(document["privatekey"])
        key.flush()
        try:
            out = seal.seal(message, key.name, document["domain"], document["sel"],
                            case["srv-id"], headers=case["sig-headers"], now=case["t"])
        except LabError as error:
            return f"{error}"
    if not case["AS"].strip():
        return None if out == message else f"a set was added: {out!r}"
    if not out.endswith(message):
        return "the message has changed"
    fields = seal.fields(out[:-len(message)])
    got = tags(fields["arc-seal"]), tags(fields["arc-message-signature"]), \
        blanks(fields["arc-authentication-results"])
    wanted = tags(case["AS"]), tags(case["AMS"]), blanks(case["AAR"])
    if got != wanted:
        return f"got    {got}\nwanted {wanted}"
    verdict = verify.verify(zone, out, options=("--now", "1500000000"))["arc"]
    return None if verdict["result"] == expected_verdict(case) else f"{verdict}"


def main():
    folder = tap.suites_dir(peers.SOURCE, "arc")
    if not folder:
        tap.skip_all("no outside suites beside the checkout")
    with tap.Tests("arc sealing", limit_s=120) as t:
        entries = list(cases(f"{folder}/arc-draft-sign-tests.yml"))
        for entry, problem in zip(entries, verify.each(judge, entries)):
            t.ok(problem is None, f"seal {entry[0]}", f"{problem}")
        t.equal(len(entries), 17, "all 17 cases were run")


if __name__ == "__main__":
    main()

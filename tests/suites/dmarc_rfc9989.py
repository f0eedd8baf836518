#!/usr/bin/python3
"""The cases for RFC 9989 (DMARC) through `postern verify`.

The suite says which domains have an SPF or DKIM pass; here they get one: a mail from that domain out
of an address its SPF lists, and a signature by a key in its zone.
"""

import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import peers, senders, tap, verify  # noqa: E402
from labkit.proc import LabError  # noqa: E402

IP = "192.0.2.1"
FIELDS = {"result": "result", "policy": "policy", "org_domain": "org_domain"}


def lines_of(records):
    for name, types in records.items():
        for kind, values in types.items():
            for value in values:
                if kind == "TXT":
                    yield verify.txt(name, *(s.encode() for s in value))
                elif kind == "MX":
                    yield (f"{verify.owner(name)} 300 IN MX {value['priority']} "
                           f"{verify.owner(value['exchange'])}\n")
                else:
                    yield f"{verify.owner(name)} 300 IN {kind} {value}\n"


def judge(keys, case):
    """None when it is as expected, else what differs."""
    zone = "".join(lines_of(case["zone"]))
    domain = case["header_from"].partition("@")[2]
    message = senders.message(domain).replace(f"sender@{domain}".encode(),
                                              case["header_from"].encode())
    for signer in case["dkim_pass_domains"]:
        message = senders.sign(keys, message, signer)
        zone += senders.dkim_record(keys, signer, "rsa")
    mail_from = ""
    for sender in case["spf_pass_domains"][:1]:
        mail_from = f"bounce@{sender}"
        zone += verify.txt(sender, f"v=spf1 ip4:{IP} -all".encode())
    try:
        got = verify.verify(zone, message, IP, "client.invalid", mail_from)
    except (LabError, ValueError) as error:
        return str(error)
    for signature in got["dkim"]:
        if signature["result"] != "pass":
            return f"the signature this test made is not valid: {signature}"
    for key, wanted in case["expect"].items():
        if got["dmarc"].get(FIELDS[key]) != wanted:
            return f"{key} is {got['dmarc'].get(FIELDS[key])!r}, expected {wanted!r}\n{got['dmarc']}"
    return None


def main():
    folder = tap.suites_dir(peers.SOURCE, "dmarc")
    if not folder:
        tap.skip_all("no outside suites beside the checkout")
    with open(f"{folder}/rfc9989.json", encoding="utf-8") as f:
        cases = json.load(f)
    with tap.Tests("dmarc", limit_s=300) as t, tempfile.TemporaryDirectory() as keys:
        senders.make_keys(keys)
        problems = verify.each(lambda case: judge(keys, case), cases)
        for case, problem in zip(cases, problems):
            t.ok(problem is None, f"DMARC {case['title']}", f"{problem}\n{json.dumps(case)}")
        t.equal(len(cases), 26, "all 26 cases of the suite were run")


if __name__ == "__main__":
    main()

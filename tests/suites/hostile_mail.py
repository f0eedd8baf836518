#!/usr/bin/python3
"""Mail that pretends to be from bank.example, sent and signed by evil.example, through
`postern verify`: no From gets it dmarc=pass for the bank, and nothing breaks out of the
Authentication-Results field."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import hostile, results, seal, senders, tap, verify  # noqa: E402

EVIL_IP, ID, NOW = "192.0.2.66", "mx.receiver.example", 1790000000

METHODS = {"spf", "iprev", "dkim", "dmarc", "arc"}


def zone(key_record):
    payload = b"\"; dmarc=pass header.from=bank.example) (\\\r\n"
    return (verify.txt("evil.example", b"v=spf1 ip4:192.0.2.66 exp=exp.evil.example -all")
            + verify.txt("exp.evil.example", payload)
            + verify.txt("_dmarc.evil.example", b"v=DMARC1; p=reject")
            + verify.txt("bank.example", b"v=spf1 -all")
            + verify.txt("_dmarc.bank.example", b"v=DMARC1; p=reject")
            + verify.txt("s._domainkey.evil.example", key_record)
            + "66.2.0.192.in-addr.arpa. 60 IN PTR "
            + verify.owner("a\";(dmarc=pass)\\.evil.example") + "\n"
            + verify.owner("a\";(dmarc=pass)\\.evil.example") + " 60 IN A 192.0.2.66\n")


def make_key(folder):
    """A key of evil.example; returns its file and record."""
    path = f"{folder}/key.pem"
    text = seal.keygen(path, "evil.example", "s")
    return path, "".join(text.split('"')[1::2]).encode()


def wrong_author(verdict, wanted):
    """None, or what is wrong."""
    dmarc = verdict["dmarc"]
    got = dmarc["result"]
    if got == "pass":
        got = "evil" if dmarc["from_domain"] == "evil.example" else f"pass {dmarc['from_domain']}"
    if "header.from=bank.example" in verdict["authentication_results"] and dmarc["result"] == "pass":
        return f"the bank is named: {verdict['authentication_results']}"
    if wanted == "permerror" and dmarc["disposition"] != "reject":
        return f"is not refused: {dmarc}"
    return None if got == wanted else f"{dmarc}, wanted {wanted}"


def escaped(verdict):
    """None, or how something has broken out of the field."""
    try:
        authserv_id, found = results.parse(verdict["authentication_results"])
    except ValueError as error:
        return f"{error}: {verdict['authentication_results']!r}"
    if authserv_id != ID:
        return f"id {authserv_id!r}"
    strange = {method for method, _ in found} - METHODS
    if strange:
        return f"methods {strange}"
    dmarc = [result for method, result in found if method == "dmarc"]
    if dmarc != [verdict["dmarc"]["result"]]:
        return f"dmarc={dmarc}, and it is {verdict['dmarc']['result']}"
    dkim = [result for method, result in found if method == "dkim"]
    wanted = [signature["result"] for signature in verdict["dkim"]] or ["none"]
    return None if sorted(dkim) == sorted(wanted) else f"dkim={dkim}, and it is {wanted}"


def injections():
    """(place, envelope, header fields) for every payload in every place."""
    signature = "DKIM-Signature: v=1; a={a}; d={d}; s={s}; i={i}; c=simple/simple; h=from;" \
                " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b={b}\r\n"
    usual = {"a": "rsa-sha256", "d": "evil.example", "s": "s", "i": "x@evil.example", "b": "AAAA"}
    for payload in hostile.PAYLOADS:
        word = payload.replace("\n", "")  # a field cannot hold what ends it
        for where in usual:
            yield f"{where}={payload!r}", {}, signature.format(**{**usual, where: word})
        yield f"MAIL FROM {payload!r}@", {"mail_from": f"{payload}@evil.example"}, ""
        yield f"MAIL FROM @{payload!r}", {"mail_from": f"x@{payload}"}, ""
        yield f"MAIL FROM {payload!r}", {"mail_from": payload}, ""
        yield f"HELO {payload!r}", {"helo": payload, "mail_from": ""}, ""


def main():
    with tap.Tests("hostile mail", limit_s=300) as t, tempfile.TemporaryDirectory() as folder:
        key, record = make_key(folder)
        names = zone(record)

        def author(case):
            section, _ = case
            message = section + b"\r\nSubject: x\r\n\r\nhi\r\n"
            try:
                message = seal.sign(message, key, "evil.example", "s", now=NOW)
            except verify.LabError:
                pass  # without a From nothing is signed
            return verify.verify(names, message, EVIL_IP, "evil.example", "x@evil.example",
                                 ("--now", str(NOW), "--authserv-id", ID))

        for (section, wanted), verdict in zip(hostile.FROMS, verify.each(author, hostile.FROMS)):
            problem = wrong_author(verdict, wanted) or escaped(verdict)
            t.ok(problem is None, f"{section!r} is {wanted}", problem)

        def inject(case):
            _, envelope, fields = case
            message = fields.encode("latin-1") + senders.message("evil.example")
            given = {"ip": EVIL_IP, "helo": "evil.example", "mail_from": "x@evil.example",
                     "options": ("--now", str(NOW), "--authserv-id", ID), **envelope}
            return verify.verify(names, message, **given)

        cases = list(injections())
        wrong = [f"{case[0]}: {problem}" for case, verdict in zip(cases, verify.each(inject, cases))
                 if (problem := escaped(verdict))]
        t.equal(wrong, [], f"none of {len(cases)} injected values breaks out of the field")


if __name__ == "__main__":
    main()

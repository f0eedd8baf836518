#!/usr/bin/python3
"""DKIM both ways with Debian's python3-dkim: what it signs verifies here, what we sign verifies
there, in every variation that either can make; and what was changed since verifies nowhere."""

import collections
import itertools
import os
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import seal, senders, tap, verify  # noqa: E402

import dkim  # noqa: E402

DOMAIN = "pass.example"
BODY = "Two  blanks \n\t tab\n\n.dot\n \nend \n\n\n"
CANONS = tuple("/".join(way) for way in itertools.product(("simple", "relaxed"), repeat=2))
USUAL = ("from", "to", "subject", "date", "message-id")
NOW = int(time.time())  # theirs alone knows no other


class Signer(dkim.DKIM):
    """With tags of our own in front of h=, and t= at will."""

    extra = ()

    def gen_header(self, fields, *args, **kw):
        at = [name for name, _ in fields].index(b"h")
        own = [name for name, _ in self.extra]
        fields[at:at] = self.extra
        kept = [(n, v) for i, (n, v) in enumerate(fields) if n not in own or at <= i < at + len(own)]
        fields[:] = kept
        return super().gen_header(fields, *args, **kw)


class There:
    def __init__(self, keys):
        self.keys = keys

    def sign(self, text, domain=DOMAIN, algorithm="rsa", canon="relaxed/relaxed", names=USUAL, extra=(), **kw):
        signer = Signer(text)
        signer.should_not_sign = set()
        signer.extra = [(name.encode(), value.encode()) for name, value in extra]
        field = signer.sign(senders.SELECTORS[algorithm].encode(), domain.encode(),
                            senders.private_key(self.keys, algorithm),
                            signature_algorithm=f"{algorithm}-sha256".encode(),
                            canonicalize=tuple(w.encode() for w in canon.split("/")),
                            include_headers=[n.encode() for n in names], **kw)
        return field + text

    def results(self, text):
        """Of each signature, top to bottom."""
        return [self._verify(text, i) for i in range(text.lower().count(b"dkim-signature:"))]

    def _verify(self, text, index):
        def record(name, timeout=5):
            selector, domain = name.decode().rstrip(".").split("._domainkey.")
            algorithm = {s: a for a, s in senders.SELECTORS.items()}[selector]
            return "".join(senders.dkim_record(self.keys, domain, algorithm).split('"')[1::2]).encode()

        try:
            return dkim.DKIM(text).verify(index, dnsfunc=record)
        except dkim.DKIMException:
            return False


Case = collections.namedtuple("Case", "what text here there options")


def case(what, text, here, there=None, options=()):
    """What each says of every signature, top to bottom; `there` is told only where it is another."""
    return Case(what, text, here, there or [word == "pass" for word in here], options)


def variations(there, plain):
    sign = there.sign
    appended = b"and a tail\r\n"
    twice = senders.crlf("Received: by first\nComments: one\nReceived: by second\nComments: two\n") + plain
    again = (*USUAL, "received", "received", "comments")
    yield case("l= over the whole body", sign(plain, length=True), ["pass"])
    yield case("l= and an unsigned tail", sign(plain, length=True) + appended, ["policy"], [True])
    yield case("l= with canon simple and a tail", sign(plain, canon="simple/simple", length=True) + appended,
               ["policy"], [True])
    yield case("l=0 and a body that nobody signed", sign(plain.split(b"\r\n\r\n")[0] + b"\r\n\r\n", length=True) +
               appended, ["policy"], [True])
    yield case("a tail without l=", sign(plain) + appended, ["fail"])
    yield case("x= to come", sign(plain, extra=(("x", str(NOW + 9000)),)), ["pass"])
    yield case("x= gone by", sign(plain, extra=(("t", str(NOW - 90000)), ("x", str(NOW - 50000)))), ["fail"])
    yield case("x= before t=", sign(plain, extra=(("t", str(NOW)), ("x", str(NOW - 50000)))), ["neutral"], [False])
    yield case("z= and a tag that nobody knows",
               sign(plain, extra=(("z", "From:sender=40pass.example|To:x"), ("xyzzy", "a b"))), ["pass"])
    yield case("i= of a subdomain", sign(plain, identity=b"list=2Bx@news.pass.example"), ["pass"])
    yield case("i= of another domain", sign(plain, extra=(("i", "x@other.example"),)), ["neutral"])
    yield case("i= with an unlike ending", sign(plain, extra=(("i", "x@bypass.example"),)), ["neutral"])
    yield case("oversigned names", sign(plain, names=(*USUAL, *USUAL, "reply-to", "cc")), ["pass"])
    yield case("oversigned, then a Subject more",
               b"Subject: other\r\n" + sign(plain, names=(*USUAL, "subject")), ["fail"])
    yield case("a Subject more that is not oversigned", b"Subject: other\r\n" + sign(plain), ["pass"])
    yield case("fields that stand there twice, both signed", sign(twice, names=again), ["pass"])
    yield case("of two fields the lower is signed", sign(twice, names=(*USUAL, "comments")).replace(
        b"Comments: one", b"Comments: x"), ["pass"])
    yield case("of two fields the lower is signed, and changed", sign(twice, names=(*USUAL, "comments")).replace(
        b"Comments: two", b"Comments: x"), ["fail"])
    yield case("two fields signed, and exchanged", sign(twice, names=again).replace(b"by first", b"by X").replace(
        b"by second", b"by first").replace(b"by X", b"by second"), ["fail"])
    yield case("names in odd case, a signature folded anew",
               sign(plain).replace(b"h=from : to", b"h=FROM : \r\n\t tO"), ["fail"])
    both = sign(sign(plain, algorithm="ed25519"), algorithm="rsa")
    yield case("RSA over Ed25519", both, ["pass", "pass"])
    yield case("the lower of two broken", both.replace(b"a=ed25519-sha256", b"a=ed25519-sha256; n=1"),
               ["pass", "fail"])
    yield case("signed by three domains", sign(sign(both, domain="none.example"), domain="junk.example"), ["pass"] * 4)
    yield case("a signature that signs the one below", sign(both, names=(*USUAL, "dkim-signature")), ["pass"] * 3)
    for what, text in bodies(plain):
        for canon in CANONS:
            yield case(f"{what}, {canon}", sign(text, canon=canon), ["pass"])


def bodies(plain):
    header = plain.split(b"\r\n\r\n")[0] + b"\r\n"
    yield "an empty body", header + b"\r\n"
    yield "a body of line ends", header + b"\r\n\r\n\r\n"
    yield "a body of blanks", header + b"\r\n \t \r\n\r\n"
    yield "a body without a last line end", header + b"\r\nnot ended"
    yield "octets over 127 and a line of 5,000", header + b"\r\n\xe4\xf6\xfc\r\n" + b"long " * 1000 + b"\r\n"
    yield "8-bit and folded fields", "Subject: grüße\r\n\tund  mehr \r\n".encode() + \
        header.replace(b"Subject:", b"X-Subject:") + b"\r\nx\r\n"
    yield "a field of 20,000 octets", b"To: " + b", ".join(b"<a%d@x.example>\r\n" % i for i in range(1100)).replace(
        b"\r\n", b"\r\n ").rstrip(b" ") + header.replace(b"To:", b"X-To:") + b"\r\nx\r\n"


def ours(keys, plain):
    """Signed here: the text, and what there is to say of it."""
    names = "from:From:to:subject:date:comments:comments:x-none"
    twice = senders.crlf("Comments: one\nComments: two\n") + plain
    for algorithm, canon in itertools.product(senders.SELECTORS, CANONS):
        def sign(text, algorithm=algorithm, canon=canon, **kw):
            return seal.sign(text, f"{keys}/{algorithm}.pem", DOMAIN, senders.SELECTORS[algorithm], canon=canon,
                             **kw)

        way = f"{algorithm}, {canon}"
        yield case(way, sign(plain), ["pass"])
        yield case(f"{way}, and changed", sign(plain).replace(b"end ", b"End "), ["fail"])
        yield case(f"{way}, and a From more", b"From: <x@evil.example>\r\n" + sign(plain), ["fail"])
        yield case(f"{way}, repeated and absent names", sign(twice, headers=names), ["pass"])
        yield case(f"{way}, twice", sign(sign(plain)), ["pass", "pass"])
    for what, text in bodies(plain):
        yield case(what, seal.sign(text, f"{keys}/rsa.pem", DOMAIN, senders.SELECTORS["rsa"]), ["pass"])


def main():
    with tap.Tests("peers dkim", limit_s=120) as t, tempfile.TemporaryDirectory() as keys:
        senders.make_keys(keys)
        zone, there = senders.zone(keys), There(keys)
        plain = senders.message(DOMAIN, BODY, subject="folded\r\n\t and  spaced ")
        cases = [case(f"signed there: {a}, {c}", there.sign(plain, algorithm=a, canon=c), ["pass"])
                 for a, c in itertools.product(senders.SELECTORS, CANONS)]
        cases += [case(f"{c.what}, and changed", c.text.replace(b"end ", b"End "), ["fail"]) for c in cases]
        cases += [c._replace(what=f"signed there: {c.what}") for c in variations(there, plain)]
        cases += [c._replace(what=f"signed here: {c.what}") for c in ours(keys, plain)]

        def here(c):
            return [s["result"] for s in verify.verify(zone, c.text, options=c.options)["dkim"]]

        for c, got in zip(cases, verify.each(here, cases)):
            t.equal((got, there.results(c.text)), (c.here, c.there), c.what)


if __name__ == "__main__":
    main()

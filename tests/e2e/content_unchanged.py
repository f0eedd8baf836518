#!/usr/bin/python3
"""Content is never rewritten: what is sent lies in the mailbox byte for byte below the added fields."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, peers, senders, tap  # noqa: E402

HEAD = b"From: a@plain.example\r\nSubject: x\r\n\r\n"


def own_messages():
    every_octet = bytes(c for c in range(1, 256) if c not in (10, 13))
    return {
        "undeclared 8-bit": HEAD + b"gr\xfc\xdfe\r\n",
        "8-bit in the header": b"From: a@plain.example\r\nSubject: gr\xc3\xbc\xc3\x9f\r\n\r\nx\r\n",
        "every octet but NUL, CR and LF": HEAD + every_octet + b"\r\n",
        "a line of 5,000 octets": HEAD + b"x" * 5000 + b"\r\n",
        "a line of 200,000 octets": HEAD + b"y" * 200000 + b"\r\n",
        "a field of 2,000 octets in one line": b"From: a@plain.example\r\nX: " + b"z" * 2000 +
                                               b"\r\n\r\nx\r\n",
        "lines of dots": HEAD + b".\r\n..\r\n...\r\n.x\r\n",
        "blanks at the ends of lines": HEAD + b"a \r\n\t\r\n \r\nb\t \r\n\r\n\r\n",
        "an empty body": HEAD,
        "no body at all": b"From: a@plain.example\r\nSubject: x\r\n",
        "300 fields": b"From: a@plain.example\r\n" + b"X-A: b\r\n" * 300 + b"\r\nx\r\n",
        "odd folding": b"From:\r\n a@plain.example\r\nX:\r\n\t \r\n  a\r\n\r\nx\r\n",
        "1 MB": HEAD + (b"0123456789abcdef" * 4 + b"\r\n") * 16384,
    }


def suite_messages():
    folder = tap.suites_dir(peers.SOURCE, "mail")
    for name in sorted(os.listdir(folder)) if folder else ():
        if name.endswith(".eml"):
            with open(f"{folder}/{name}", "rb") as f:
                text = senders.crlf(f.read())
            yield name, text if text.endswith(b"\r\n") else text + b"\r\n"


def main():
    # The suite holds messages with odd From fields; here it is their bytes that count.
    settings = {"policy": {"multiple_from": "mark"}}
    with tap.Tests("content_unchanged", limit_s=240) as t, lab.temporary(settings) as here:
        messages = {**own_messages(), **dict(suite_messages())}
        with here.connect() as peer:
            peer.hello()
            for count, (name, text) in enumerate(messages.items()):
                reply = peer.mail("sender@plain.example", ["alice@lab.example"], text)
                if not t.equal(reply.code, 250, f"{name}: taken"):
                    t.note(reply)
                    break
                # One at a time, so that it is known which is which.
                stored = here.dovecot.wait_for(count + 1, "alice")[-1]
                added = lab.added_and_content(stored, text)
                if t.ok(added is not None, f"{name}: arrives unchanged",
                        f"sent   {text[:2000]!r}\nstored {stored[:4000]!r}"):
                    names = {line.split(b":")[0].lower() for line in added.split(b"\r\n")
                             if line and line[:1] not in b" \t"}
                    t.ok(names <= {b"return-path", b"delivered-to", b"received",
                                   b"authentication-results"} | {
                                       n for n in names if n.startswith(b"x-postern-")},
                         f"{name}: only our and Dovecot's fields stand in front", str(names))


if __name__ == "__main__":
    main()

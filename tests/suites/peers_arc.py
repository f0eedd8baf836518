#!/usr/bin/python3
"""ARC both ways with Debian's python3-dkim (its sealing needs python3-authres): what we seal verifies
there, what it seals verifies here."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import seal, senders, tap, verify  # noqa: E402

import dkim  # noqa: E402

DOMAIN, SEALER, ID = "pass.example", "plain.example", "gate.example"
RESULTS = f"Authentication-Results: {ID}; arc=%b; spf=pass smtp.mailfrom=x@{DOMAIN}\r\n".encode()
# dkimpy looks at no result beside this one.
SELECTOR = senders.SELECTORS["rsa"]


def main():
    with tap.Tests("peers arc", limit_s=120) as t, tempfile.TemporaryDirectory() as keys:
        senders.make_keys(keys)
        zone, key = senders.zone(keys), f"{keys}/rsa.pem"
        record = "".join(senders.dkim_record(keys, SEALER, "rsa").split('"')[1::2]).encode()
        message = senders.message(DOMAIN, "Two  blanks \n\n\n", subject="folded\r\n\t and  spaced ")

        def there(text):
            return dkim.arc_verify(text, dnsfunc=lambda name, timeout=5: record)[0]

        def here(text):
            return verify.verify(zone, text)["arc"]["result"]

        once = seal.seal(RESULTS % b"none" + message, key, SEALER, SELECTOR, ID)
        t.equal(there(once), b"pass", "sealed here: verified there")
        twice = seal.seal(RESULTS % b"pass" + once.split(b"\r\nAuthentication-Results", 1)[0] +
                          b"\r\n" + message, key, SEALER, SELECTOR, ID)
        t.equal(there(twice), b"pass", "sealed here twice: verified there")
        t.equal(there(twice.replace(b"Two", b"two")), b"fail", "and once changed it fails there")

        with open(key, "rb") as f:
            private = f.read()
        text = RESULTS % b"none" + message
        theirs = b"".join(dkim.arc_sign(text, SELECTOR.encode(), SEALER.encode(), private,
                                        ID.encode())) + text
        t.equal(here(theirs), "pass", "sealed there: verified here")
        t.equal(here(theirs.replace(b"Two", b"two")), "fail", "and once changed it fails here")


if __name__ == "__main__":
    main()

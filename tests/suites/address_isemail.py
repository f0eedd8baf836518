#!/usr/bin/python3
"""The isemail addresses as MAIL FROM of a running gateway.

ISEMAIL_ERR and the categories that only RFC 5322 allows (comments, folding, obsolete forms) are refused
with 501; those that RFC 5321 allows are taken.
"""

import os
import sys
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, peers, tap  # noqa: E402

TAKEN = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"}
# A deprecated form (one that RFC 5952 advises against) can be RFC 5321 syntax all the same.
TAKEN_DIAGNOSIS = "ISEMAIL_RFC5321_"


def octets(text):
    """The suite shows control characters as symbols from U+2400 on."""
    return "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2421 else c
                   for c in text or "").encode()


def main():
    folder = tap.suites_dir(peers.SOURCE, "address")
    if not folder:
        tap.skip_all("no outside suites beside the checkout")
    tests = xml.parse(f"{folder}/isemail-tests.xml").getroot().findall("test")
    with tap.Tests("address", limit_s=180) as t, \
            lab.temporary({"limits": {"errors": 1000}}) as here:
        peer = here.connect()
        peer.hello()
        for test in tests:
            address = octets(test.findtext("address"))
            category, diagnosis = test.findtext("category"), test.findtext("diagnosis")
            what = f"{test.get('id')} {diagnosis} {address!r}"
            if not address:
                continue  # as MAIL FROM this is the null sender, which is never refused
            # A line feed inside makes two commands of it; each gets a refusal of its own.
            peer.send(b"MAIL FROM:<" + address + b">\r\nRSET\r\n")
            replies = [peer.reply()]
            while replies[-1].code != 250 or len(replies) < 2:
                replies.append(peer.reply())
                if len(replies) > 6:
                    break
            if category in TAKEN or diagnosis.startswith(TAKEN_DIAGNOSIS):
                t.ok(replies[0].code == 250, f"{what} is taken", str(replies))
            else:
                t.ok(500 <= replies[0].code < 600, f"{what} is refused", str(replies))
        peer.close()


if __name__ == "__main__":
    main()

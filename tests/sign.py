#!/usr/bin/python3
"""tests/sign.py - keys, a DNS zone and DKIM signatures for the tests' sending domains

    tests/sign.py keys DIR                        make an RSA and an Ed25519 key in DIR
    tests/sign.py zone DIR > ZONE                 MX, SPF, DKIM and DMARC of the sending domains
    tests/sign.py sign DIR DOMAIN [options] < MESSAGE > SIGNED
                                                  put a DKIM-Signature in front (line ends become CRLF)
    tests/sign.py message DOMAIN > MESSAGE        a plain unsigned message from that domain

The domains: pass.example (p=reject), junk.example (p=quarantine), none.example (p=none),
plain.example (no DMARC). Their SPF lists the lab's client, not its address .66.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from labkit import proc, senders  # noqa: E402


def main():
    parser = argparse.ArgumentParser(prog="tests/sign.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    words = parser.add_subparsers(dest="word", required=True)
    for word in ("keys", "zone", "sign"):
        words.add_parser(word).add_argument("keys", metavar="DIR")
    sign = words.choices["sign"]
    sign.add_argument("domain", choices=senders.POLICIES)
    sign.add_argument("--algorithm", choices=senders.SELECTORS, default="rsa")
    sign.add_argument("--canonicalization", default="relaxed/relaxed")
    words.add_parser("message").add_argument("domain")
    args = parser.parse_args()

    out = sys.stdout.buffer
    if args.word == "keys":
        senders.make_keys(args.keys)
    elif args.word == "zone":
        out.write(senders.zone(args.keys).encode())
    elif args.word == "sign":
        out.write(senders.sign(args.keys, sys.stdin.buffer.read(), args.domain, args.algorithm,
                               args.canonicalization))
    else:
        out.write(senders.message(args.domain))


if __name__ == "__main__":
    try:
        main()
    except proc.LabError as error:
        sys.exit(f"sign.py: {error.report()}")

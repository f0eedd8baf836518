#!/usr/bin/python3
"""TLS to the real Dovecot: implicit, by STARTTLS, pinned; a wrong certificate makes mail wait, not go."""

import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, proc, senders, tap  # noqa: E402


# More than a record, and than the daemon hands to the socket at once.
LARGE = "".join(f"line {i} of a body that takes many records\n" for i in range(20000))


def send(here, number):
    with here.connect() as peer:
        peer.hello()
        return peer.mail("sender@plain.example", ["alice@lab.example"],
                         senders.message("plain.example", LARGE, number=number))


def numbers(messages):
    return sorted(n for n in range(10) for m in messages if b"<%d@plain.example>" % n in m)


def restart(here, port, **backend):
    """The daemon with this backend."""
    here.gateway.stop()
    settings = here.settings()
    settings["delivery"] = {"backends": [{"lmtp": f"tcp:127.0.0.1:{here.facts[port]}", **backend}]}
    here.gateway.configure(settings)
    here.start_gateway()


def renew(here, names):
    """Dovecot with a new key and certificate; returns what keeps the old ones."""
    here.dovecot.stop()
    old = f"{here.dovecot.dir}/old"
    os.makedirs(old)
    for name in ("cert.pem", "key.pem"):
        shutil.copy(f"{here.dovecot.dir}/{name}", old)
    here.dovecot.certify(names)
    here.dovecot.start()
    return old


def put_back(here, old):
    here.dovecot.stop()
    for name in ("cert.pem", "key.pem"):
        shutil.copy(f"{old}/{name}", here.dovecot.dir)
    here.dovecot.start()


def wait_for_log(here, text):
    def is_there():
        with open(here.gateway.log, encoding="utf-8", errors="replace") as f:
            return text in f.read()

    proc.wait_until(is_there, 60, f"the log says {text}", log=here.gateway.log)


def arrives(t, here, number, how):
    t.equal(send(here, number).code, 250, f"{how}: accepted")
    mails = here.dovecot.wait_for(number, "alice", 60)
    t.equal(numbers(mails), list(range(1, number + 1)), "and delivered, once")
    t.ok(mails[-1].endswith(senders.crlf(LARGE)), "whole")
    t.contains(mails[-1].split(b"Authentication-Results", 1)[0].decode(), "with LMTPS",
               "Dovecot got it by TLS")


def main():
    with tap.Tests("lmtp_tls", limit_s=240) as t, lab.temporary() as here:
        ca = here.dovecot.certificate
        trusted = f"{here.state}/ca.pem"
        shutil.copy(ca, trusted)
        restart(here, "lmtps_port", tls="implicit", tls_ca_file=trusted)
        arrives(t, here, 1, "implicit TLS, a certificate that the CA vouches for")
        restart(here, "lmtp_port", tls="starttls", tls_ca_file=trusted, tls_name="localhost")
        arrives(t, here, 2, "STARTTLS, under another name of the certificate")
        restart(here, "lmtps_port", tls="implicit", tls_pin=here.dovecot.pin())
        arrives(t, here, 3, "a pinned key and no CA")

        old = renew(here, "DNS:localhost,IP:127.0.0.1")
        t.equal(send(here, 4).code, 250, "another key behind the same address: mail is accepted")
        wait_for_log(here, "its public key is not the pinned one")
        t.equal(here.dovecot.count("alice"), 3, "it waits")
        t.equal(here.gateway.stats()["delivery_deferred"], 0, "without an attempt")
        restart(here, "lmtps_port", tls="implicit", tls_ca_file=trusted)
        wait_for_log(here, "the server's certificate: self-signed certificate")
        t.equal(here.dovecot.count("alice"), 3, "nor goes it to one that the CA does not vouch for")
        put_back(here, old)
        t.equal(numbers(here.dovecot.wait_for(4, "alice", 60)), [1, 2, 3, 4],
                "once the right certificate is back it is delivered, once")

        t.ok("certificates" not in here.gateway.tool("check", "-c", here.gateway.config),
             "check takes such a configuration")
        os.unlink(trusted)
        t.contains(here.gateway.tool("check", "-c", here.gateway.config, check=False),
                   f"cannot read certificates from {trusted}", "and looks for the CA's file")


if __name__ == "__main__":
    main()

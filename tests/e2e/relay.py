#!/usr/bin/python3
"""Bounces through a real Postfix: verified TLS, a password, and into the sender's mailbox."""

import email
import email.policy
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, postfix, proc, senders, tap  # noqa: E402

# The sender's own domain, for which Postfix delivers to the lab's Dovecot too: local parts are accounts.
SENDER = "bob@plain.example"


def postfix_settings(here):
    """Takes mail from those that authenticate, by TLS, and from nobody else."""
    return {
        "myhostname": "relay.plain.example",
        "mynetworks": "",
        "virtual_mailbox_domains": "plain.example",
        "virtual_mailbox_maps": "static:any",
        "virtual_transport": f"lmtp:unix:{here.dovecot.lmtp_socket}",
        "notify_classes": "",
        "smtpd_tls_security_level": "encrypt",
        "smtpd_tls_cert_file": f"{here.dovecot.dir}/cert.pem",
        "smtpd_tls_key_file": f"{here.dovecot.dir}/key.pem",
        "smtpd_tls_loglevel": "1",
        "smtpd_tls_auth_only": "yes",
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": f"{here.dovecot.dir}/auth.sock",
        "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
        "smtp_tls_security_level": "none",
    }


def send(here, number):
    with here.connect() as peer:
        peer.hello()
        reply = peer.mail(SENDER, ["ghost@lab.example"], senders.message("plain.example", number=number))
        assert reply.code == 250, reply
        return reply.text.split()[-1]


def configure(here, server, password, ca_file):
    with open(f"{here.state}/password", "w", encoding="ascii") as f:
        f.write(password + "\n")
    os.chmod(f"{here.state}/password", 0o600)
    settings = here.settings()
    settings["delivery"] |= {"retry_min": "1s", "retry_max": "2s"}
    settings["relay"] = {"url": f"smtp://localhost:{server.port}", "tls": "require", "ca_file": ca_file,
                         "user": "alice", "password_file": f"{here.state}/password"}
    here.gateway.configure(settings)


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def mistakes(t, here, server):
    """What must not work: the mail waits, and no password goes to a stranger."""
    configure(here, server, "wonderland", "/etc/ssl/certs/ca-certificates.crt")
    here.start_gateway()
    send(here, 1)
    proc.wait_until(lambda: here.gateway.stats()["relay_deferred"] > 0, 60, "the relay was tried",
                    log=here.gateway.log)
    t.ok("sasl_username" not in text_of(server.log),
         "a relay whose certificate nobody vouches for gets no password")
    here.gateway.stop()
    configure(here, server, "wrong", f"{here.dovecot.dir}/cert.pem")
    here.start_gateway()
    proc.wait_until(lambda: "authentication failed" in text_of(server.log), 60,
                    "the wrong password was refused", log=here.gateway.log)
    t.equal(here.dovecot.count("bob"), 0, "with the wrong password the bounce waits")
    here.gateway.stop()


def success(t, here, server):
    configure(here, server, "wonderland", f"{here.dovecot.dir}/cert.pem")
    here.start_gateway()
    second = send(here, 2)
    here.dovecot.wait_for(2, "bob", 60)
    t.ok(True, "with certificate and password in order both bounces arrive")
    t.contains(text_of(server.log), "sasl_method=PLAIN, sasl_username=alice", "after AUTH")
    t.contains(text_of(server.log), "TLS connection established from", "by TLS")
    reports = [email.message_from_bytes(m, policy=email.policy.default)
               for m in here.dovecot.messages("bob")]
    t.equal({(r["Return-Path"], r.get_content_type()) for r in reports}, {("<>", "multipart/report")},
            "they are reports from nobody")
    t.ok(any(second in str(r) for r in reports), "about the mails that failed")
    proc.wait_until(lambda: here.gateway.stats()["spool_messages"] == 0, 30, "the queue is empty",
                    log=here.gateway.log)
    t.ok(here.gateway.stop(), "the daemon ends by itself")


def main():
    with tap.Tests("relay", limit_s=240) as t, lab.temporary(start_gateway=False) as here:
        with open(f"{here.state}/recipients", "a", encoding="utf-8") as f:
            f.write("ghost@lab.example\n")  # we believe in it, Dovecot does not
        server = postfix.Postfix(f"{here.state}/postfix")
        server.configure(postfix_settings(here))
        try:
            server.start()
            mistakes(t, here, server)
            success(t, here, server)
        finally:
            server.stop()


if __name__ == "__main__":
    main()

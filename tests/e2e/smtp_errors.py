#!/usr/bin/python3
"""Bad input gets a clear SMTP error and nothing else; the session, or at least the server, goes on."""

import os
import re
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, senders, smtp, tap  # noqa: E402

# what is said, the reply it must get (a beginning), in one session after EHLO
COMMANDS = [
    ("an unknown command", b"FROB", "500 5.5."),
    ("a NUL in a command", b"NO\0OP", "50"),
    ("a NUL in an address", b"MAIL FROM:<a\0b@pass.example>", "50"),
    ("an 8-bit octet in a command", b"NOOP \xe4", "50"),
    ("an 8-bit octet in an address", b"MAIL FROM:<\xc3\xa4@pass.example>", "50"),
    ("a bare CR in a command", b"NO\rOP", "50"),
    ("a line of 5,000 octets", b"NOOP " + b"x" * 5000, "500 5.5."),
    ("a line of 200,000 octets", b"MAIL FROM:<" + b"x" * 200000 + b"@pass.example>", "500 5.5."),
    ("RCPT before MAIL", b"RCPT TO:<alice@lab.example>", "503 5.5.1 "),
    ("DATA before MAIL", b"DATA", "503 5.5.1 "),
    ("MAIL without an address", b"MAIL FROM:", "501 5."),
    ("MAIL with an unknown parameter", b"MAIL FROM:<a@pass.example> FROB=1", "555 5.5.4 "),
    ("MAIL with an empty SIZE", b"MAIL FROM:<a@pass.example> SIZE=", "501 5."),
    ("MAIL with a SIZE over the limit", b"MAIL FROM:<a@pass.example> SIZE=99999999999",
     "552 5.3.4 "),
    ("EHLO without a name", b"EHLO", "501 5."),
    ("VRFY", b"VRFY alice", "252 2."),
    ("NOOP", b"NOOP", "250 2."),
    ("HELP", b"HELP", "214 2."),
    ("RSET", b"RSET", "250 2."),
    ("MAIL with a blank before the path", b"MAIL FROM: <a@pass.example>", "250 2.1.0 "),
    ("a second MAIL", b"MAIL FROM:<a@pass.example>", "503 5.5.1 "),
    ("DATA before RCPT", b"DATA", "50"),
    ("a foreign domain (relaying)", b"RCPT TO:<a@elsewhere.example>", "550 5.7.1 "),
    ("a source route to a foreign domain", b"RCPT TO:<@lab.example:a@elsewhere.example>",
     "550 5.7.1 "),
    ("a percent hack", b"RCPT TO:<a%elsewhere.example@lab.example>", "550 5."),
    ("an unknown recipient", b"RCPT TO:<nobody@lab.example>", "550 5.1.1 "),
    ("<Postmaster> without a domain", b"RCPT TO:<Postmaster>", "250 2.1.5 "),
    ("postmaster in capitals", b"RCPT TO:<POSTMASTER@LAB.Example>", "250 2.1.5 "),
    ("abuse", b"RCPT TO:<abuse@lab.example>", "250 2.1.5 "),
    ("RSET in a transaction", b"RSET", "250 2."),
    ("the null sender", b"MAIL FROM:<>", "250 2.1.0 "),
    ("RSET again", b"RSET", "250 2."),
]

HEAD = b"From: a@plain.example\r\nSubject: x\r\n"
# what the data hold, content as it goes over the wire without the end mark
REFUSED_DATA = [
    ("a bare CR in the header", HEAD + b"X: a\rb\r\n\r\nbody\r\n", r"550 5\.6\.0 "),
    ("a bare LF in the header", HEAD + b"X: a\nY: b\r\n\r\nbody\r\n", r"550 5\.6\.0 "),
    ("a NUL in the header", HEAD + b"X: a\0b\r\n\r\nbody\r\n", r"550 5\.6\.0 "),
    ("a bare LF in the body", HEAD + b"\r\none\ntwo\r\n", r"550 5\.6\.0 .*LF.* octet \d+"),
    ("a bare CR in the body", HEAD + b"\r\none\rtwo\r\n", r"550 5\.6\.0 .*CR.* octet \d+"),
]


def good_mail(peer, number):
    return peer.mail("sender@plain.example", ["bob@lab.example"],
                     senders.message("plain.example", number=number))


def commands(t, here):
    with here.connect() as peer:
        greeting = peer.reply()
        t.ok(greeting.starts(f"220 {senders.GATEWAY_NAME}"), "the greeting has our name",
             str(greeting))
        t.ok(peer.command("MAIL FROM:<a@pass.example>").starts("503 5.5.1 "),
             "MAIL before EHLO: 503 5.5.1")
        hello = peer.command("EHLO out.pass.example")
        for keyword in ("PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES"):
            t.ok(re.search(rf"^{keyword}\b", hello.text, re.M), f"EHLO offers {keyword}",
                 str(hello))
        for what, line, wanted in COMMANDS:
            try:
                got = str(peer.command(line))
            except (smtp.Closed, OSError) as error:
                t.ok(False, f"{what}: {wanted}", str(error))
                peer.close()
                peer = here.connect()
                peer.hello()
                continue
            t.ok(got.startswith(wanted), f"{what}: {wanted}", got)
            # Where many errors end the session, the next case starts a new one.
            if got.startswith("421"):
                peer.close()
                peer = here.connect()
                peer.hello()
        t.ok(peer.command("QUIT").starts("221 2.0.0 "), "QUIT: 221")
        t.ok(peer.at_end(), "the connection is closed after QUIT")


def data(t, here):
    for what, text, wanted in REFUSED_DATA:
        with here.connect() as peer:
            peer.hello()
            peer.envelope("sender@plain.example", "alice@lab.example")
            reply = str(peer.data(text))
            t.ok(re.match(wanted, reply), f"{what}: {wanted}", reply)
            t.ok(peer.command("NOOP").code == 250, f"{what}: the session goes on")

    with here.connect() as peer:
        peer.hello()
        peer.envelope("sender@plain.example", "alice@lab.example")
        line = b"X-Filler: " + b"y" * 900 + b"\r\n"
        try:
            peer.command("DATA")
            peer.send(HEAD + line * (10 * 1024 * 1024 // len(line)) + b"\r\nbody\r\n.\r\n")
        except OSError:
            pass  # it may hang up when it has had enough; its reply is still to be read
        reply = peer.reply()
        t.ok(reply.starts("552 5.3.4 ") or reply.starts("550 5.6.0 "),
             "10 MB of header: refused with a permanent error", str(reply))

    with here.connect() as peer:
        peer.hello()
        peer.envelope("sender@plain.example", "alice@lab.example")
        peer.command("DATA")
        peer.send(HEAD + b"\r\nhalf of a ma")
    with here.connect() as peer:
        peer.send(b"EHLO out.pass.example\r\nMAIL FROM:<sender@plain.example>\r\n"
                  b"RCPT TO:<bob@lab.example>\r\nRCPT TO:<nobody@lab.example>\r\nDATA\r\n")
        codes = [peer.reply().code for _ in range(6)]
        t.equal(codes, [220, 250, 250, 250, 550, 354],
                "a whole envelope in one segment: each command has its reply")
        peer.send(smtp.stuffed(senders.message("plain.example", number=1)) + b".\r\nQUIT\r\n")
        codes = [peer.reply().code, peer.reply().code]
        t.equal(codes, [250, 221], "data, end mark and QUIT in one segment: 250 and 221")


def stops_reading(t, here):
    sock = here.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(10)
    sock.connect((senders.GATEWAY_IP, 25))
    stuck = smtp.Peer(sock, 10)
    sock.setblocking(False)
    sent = 0
    flood = b"NOOP\r\n" * 1000
    for _ in range(500):
        try:
            sent += sock.send(flood)
        except (BlockingIOError, ConnectionError):
            break
    t.ok(sent < 500 * len(flood), "a peer that stops reading is no longer read from either",
         f"it took {sent} octets")
    with here.connect() as peer:
        peer.hello()
        t.equal(good_mail(peer, 2).code, 250, "others are served meanwhile")
    stuck.close()


def main():
    with tap.Tests("smtp_errors", limit_s=240) as t, \
            lab.temporary({"limits": {"errors": 1000}}) as here:
        commands(t, here)
        data(t, here)
        stops_reading(t, here)
        with here.connect() as peer:
            peer.hello()
            t.equal(good_mail(peer, 3).code, 250, "after all that a good mail is taken")
        stored = b"".join(here.dovecot.wait_for(3, "bob"))
        t.equal([stored.count(b"<%d@plain.example>" % n) for n in (1, 2, 3)], [1, 1, 1],
                "each mail that was taken is in the mailbox once")
        t.equal(here.dovecot.count("alice"), 0, "nothing that was refused or broken off is")
        t.ok(here.gateway.stop(), "the daemon lived through it and ends by itself")


if __name__ == "__main__":
    main()

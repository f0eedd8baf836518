#!/usr/bin/python3
"""What other servers take for the end of data never makes two mails of one.

Dovecot 2.3's LMTP itself ends DATA at LF.LF, LF.CRLF and CRLF.LF and runs what follows as commands.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, senders, smtp, tap  # noqa: E402

MARKS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.CR": b"\r\n.\r",
    "LF.CR": b"\n.\r",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL CRLF": b"\r\n.\0\r\n",
    "CR CRLF.CRLF": b"\r\r\n.\r\r\n",
}
# The end mark of this mail inside would be the true one, so it has none.
INNER = (b"MAIL FROM:<evil@plain.example>\r\nRCPT TO:<bob@lab.example>\r\nDATA\r\n"
         b"From: evil@plain.example\r\nSubject: smuggled\r\n\r\ngot you\r\n")


def content(number, mark):
    return senders.message("plain.example", f"before {number}\n", number=number) \
        .removesuffix(b"\r\n") + mark + INNER


def raw_data(peer, text):
    """DATA with the text as it is: the marks must reach the gateway unstuffed."""
    peer.command("DATA")
    peer.send(text + b"\r\n.\r\n")
    return peer.reply()


def as_lines(text):
    """Dovecot stores every line end as CRLF."""
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def refused_by_default(t, here):
    for number, (name, mark) in enumerate(MARKS.items()):
        with here.connect() as peer:
            peer.hello()
            peer.envelope("sender@plain.example", "alice@lab.example")
            reply = raw_data(peer, content(number, mark))
            if b"\0" in mark:
                t.ok(reply.code in (250, 550), f"{name}: taken or refused as one mail", str(reply))
            else:
                t.ok(reply.starts("550 5.6.0 "), f"{name}: 550 5.6.0", str(reply))
            try:
                after = [peer.command("NOOP").code, peer.command("QUIT").code]
            except smtp.Closed:
                after = "closed"
            t.ok(after in ([250, 221], "closed"), f"{name}: nothing behind it ran as a command",
                 str(after))


def kept_on_a_listed_network(t, here):
    taken = {}
    for number, (name, mark) in enumerate(MARKS.items()):
        with here.connect() as peer:
            peer.hello()
            peer.envelope("sender@plain.example", "alice@lab.example")
            text = content(number, mark)
            reply = raw_data(peer, text)
            t.ok(reply.code == 250 or (b"\0" in mark or b"\r" in mark.replace(b"\r\n", b"")),
                 f"{name} from a network with bare_lf: keep is taken", str(reply))
            if reply.code == 250:
                # A dot that begins a line (behind CRLF) is transparency, RFC 5321 section 4.5.2.
                taken[name] = number, (text + b"\r\n").replace(b"\r\n.", b"\r\n")
    stored = here.dovecot.wait_for(len(taken), "alice")
    for name, (number, text) in taken.items():
        found = [s for s in stored if b"<%d@plain.example>" % number in s]
        t.equal(len(found), 1, f"{name}: one mail is in the mailbox")
        if b"\0" not in text and b"\r" not in text.replace(b"\r\n", b""):
            t.ok(found and as_lines(found[0]).endswith(as_lines(text)),
                 f"{name}: with all that stood behind the mark", f"{found}")
    t.equal(len(stored), len(taken), "no more mails than were taken")


def main():
    with tap.Tests("smuggling", limit_s=240) as t:
        with lab.temporary() as here:
            refused_by_default(t, here)
            t.equal(here.dovecot.count("bob"), 0, "bob has no smuggled mail")
        keep = {"networks": {"old": [f"{senders.CLIENT_IP}/32"]},
                "policy": {"bare_lf_keep_networks": "old"}}
        with lab.temporary(keep) as here:
            kept_on_a_listed_network(t, here)
            t.equal(here.dovecot.count("bob"), 0, "bob has no smuggled mail here either")


if __name__ == "__main__":
    main()

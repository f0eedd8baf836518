#!/usr/bin/python3
"""The LMTP client against the real Dovecot: results per recipient, and no end mark makes two mails."""

import glob
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import dovecot, peers, tap  # noqa: E402

SEND = os.path.join(peers.SOURCE, "build", "spool", "lmtp", "lmtp-send")
MARKS = {"LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CRLF.CRLF": b"\r\n.\r\n"}
INNER = (b"MAIL FROM:<evil@plain.example>\r\nRCPT TO:<bob@lab.example>\r\nDATA\r\n"
         b"Subject: smuggled\r\n\r\ngot you\r\n.\r\n")


class World:
    def __init__(self, directory):
        self.server = dovecot.Dovecot(directory)
        self.ports = self.server.configure("lab.example", {"alice": "x", "bob": "x"})

    def send(self, address, content, *recipients):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            return subprocess.run(
                [SEND, address, "sender@plain.example", file.name, *recipients],
                capture_output=True, text=True, timeout=60, check=False).stdout.splitlines()

    def mails(self, user):
        return glob.glob(f"{self.server.home(user)}/Maildir/new/*")


def main():
    with tap.Tests("lmtp_backend", limit_s=120) as t, \
            tempfile.TemporaryDirectory(prefix="lmtp-", dir="/var/tmp") as directory:
        os.chmod(directory, 0o755)
        world = World(directory)
        world.server.start()
        try:
            unix = f"unix:{world.server.lmtp_socket}"
            results = world.send(unix, b"Subject: one\r\n\r\n.dot\r\n..\r\n", "alice@lab.example",
                                 "nobody@lab.example", "bob@lab.example")
            t.equal([line.split()[:2] for line in results],
                    [["sent", "2.0.0"], ["failed", "5.1.1"], ["sent", "2.0.0"]],
                    "a result for each recipient")
            with open(world.mails("bob")[0], "rb") as file:
                t.ok(file.read().endswith(b"\r\n\r\n.dot\r\n..\r\n"), "dots arrive as sent")
            results = world.send(f"tcp:127.0.0.1:{world.ports['lmtp_port']}",
                                 b"Subject: two\r\n\r\nx\r\n", "alice@lab.example")
            t.ok(results and results[0].startswith("sent "), "over TCP too")
            for name, mark in MARKS.items():
                before = len(world.mails("alice"))
                world.send(unix, b"Subject: m\r\n\r\nbefore" + mark + INNER, "alice@lab.example")
                t.equal((len(world.mails("alice")) - before, len(world.mails("bob"))), (1, 1),
                        f"{name} in the content: exactly one mail")
        finally:
            world.server.process.stop()


if __name__ == "__main__":
    main()

"""Many mails over many connections at once, and what became of each of them."""

import asyncio
import random
import re
import socket

from . import lab, senders, smtp

_ID = re.compile(rb"^Message-ID: <(\d+)@plain\.example>\r\n", re.M)


class Refused(Exception):
    """The server answered something else than expected."""


class Outcome:
    def __init__(self):
        self.missing, self.changed = [], []
        self.duplicates = self.unacknowledged = self.strangers = 0


class Mails:
    """A supply of distinct messages; remembers what was sent and what was answered with 250."""

    def __init__(self, seed, size):
        self.random = random.Random(seed)
        self.size = size
        self.sent = {}
        self.accepted = {}  # number: queue id reply

    def next(self):
        number = len(self.sent)
        line = bytes(self.random.choices(b"abcdefghijklmnopqrstuvwxyz .\xe4", k=70)) + b"\r\n"
        body = (b"%d: " % number + line) * (self.size // 75 + 1)
        text = senders.message("plain.example", "", number=number) + body[:self.size] + b"\r\n"
        # A cut may leave a CR alone at the end.
        text = text.replace(b"\r\r\n", b"\r\n")
        self.sent[number] = text
        return number, text

    def compare(self, stored):
        outcome = Outcome()
        seen = {}
        for text in stored:
            found = _ID.search(text)
            number = int(found.group(1)) if found else None
            if number not in self.sent:
                outcome.strangers += 1
                continue
            seen[number] = seen.get(number, 0) + 1
            if lab.added_and_content(text, self.sent[number]) is None:
                outcome.changed.append(number)
        outcome.missing = sorted(set(self.accepted) - set(seen))
        outcome.duplicates = sum(count - 1 for count in seen.values())
        outcome.unacknowledged = len(set(seen) - set(self.accepted))
        return outcome


async def _reply(reader, *codes):
    while True:
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise Refused(f"closed, last seen {line!r}")
        if line[3:4] != b"-":
            if int(line[:3]) not in codes:
                raise Refused(line.decode("utf-8", "replace").strip())
            return line


async def session(here, mails, count, timeout_s=60, family=socket.AF_INET, to="alice@lab.example"):
    """One connection that sends `count` mails. Raises when it breaks; mails keeps the score."""
    sock = here.socket(family)
    sock.setblocking(False)
    host = senders.GATEWAY_IP6 if family == socket.AF_INET6 else senders.GATEWAY_IP

    async def talk():
        await asyncio.get_running_loop().sock_connect(sock, (host, 25))
        reader, writer = await asyncio.open_connection(sock=sock)
        try:
            await _reply(reader, 220)
            writer.write(b"EHLO out.plain.example\r\n")
            await _reply(reader, 250)
            for _ in range(count):
                number, text = mails.next()
                writer.write(b"MAIL FROM:<sender@plain.example>\r\nRCPT TO:<%s>\r\nDATA\r\n"
                             % to.encode())
                await _reply(reader, 250)
                await _reply(reader, 250)
                await _reply(reader, 354)
                writer.write(smtp.stuffed(text) + b".\r\n")
                await writer.drain()
                mails.accepted[number] = await _reply(reader, 250)
            writer.write(b"QUIT\r\n")
            await _reply(reader, 221)
        finally:
            writer.transport.abort()

    try:
        await asyncio.wait_for(talk(), timeout_s)
    finally:
        sock.close()

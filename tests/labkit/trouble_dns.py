"""A name server that gives trouble: what it does with a question is in the name that is asked for.

`*.d7.late.example` belongs to the kind `late`. Every domain `dN.KIND.example` has an SPF record that lists
the client and a DMARC record that rejects; what the kinds in TROUBLE do to a question is told there."""

import asyncio
import socket
import struct
import threading

from . import senders

A, SOA, PTR, TXT = 1, 6, 12, 16
QR_RD_RA = 0x8180
TRUNCATED = 0x0200
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
LATE_S = 2.0
VICTIM = "d0.victim.example"

# kind: what becomes of its questions
TROUBLE = {
    "late": "answered after LATE_S",
    "truncated": "truncated over UDP, whole over TCP",
    "cut": "truncated over UDP, connections over TCP are reset",
    "garbage": "the right id, then noise",
    "silent": "no answer ever",
    "servfail": "SERVFAIL",
    "stranger": "an answer that lies, with another id",
    "liar": "an answer that lies, to a question about VICTIM",
}

KINDS = ("fine", *TROUBLE)


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def record(owner, kind, ttl_s, rdata):
    return wire_name(owner) + struct.pack("!HHIH", kind, 1, ttl_s, len(rdata)) + rdata


def txt(owner, text, ttl_s=300):
    return record(owner, TXT, ttl_s, bytes([len(text)]) + text.encode())


def negative():
    return record("example", SOA, 300, wire_name("ns.example") + wire_name("m.example")
                  + struct.pack("!5I", 1, 3600, 600, 86400, 300))


class Question:
    def __init__(self, packet):
        self.packet, self.id = packet, packet[:2]
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace").lower())
            at += 1 + packet[at]
        self.labels = labels
        self.name = ".".join(labels)
        self.type = struct.unpack_from("!H", packet, at + 1)[0]
        self.octets = packet[12:at + 5]
        numbered = [i for i, label in enumerate(labels) if label[:1] == "d" and label[1:].isdigit()]
        # Only what lies at or below dN.KIND.example is of a kind.
        self.kind = labels[numbered[0] + 1] if numbered and len(labels) == numbered[0] + 3 else "fine"

    def answer(self, records=(), authority=(), flags=0, rcode=NOERROR, octets=None, ident=None):
        return (ident or self.id) + struct.pack("!HHHHH", QR_RD_RA | flags | rcode, 1, len(records),
                                                len(authority), 0) \
            + (octets or self.octets) + b"".join(records) + b"".join(authority)

    def truth(self):
        """The right answer."""
        found = None
        if self.type == TXT and self.labels[:1] == ["_dmarc"] and len(self.labels) == 4:
            found = txt(self.name, "v=DMARC1; p=reject")
        elif self.type == TXT and len(self.labels) == 3 and self.labels[0][1:].isdigit():
            found = txt(self.name, f"v=spf1 ip4:{senders.CLIENT_IP} -all")
        elif self.type == A and self.name == "out.fine.example":
            found = record(self.name, A, 300, socket.inet_aton(senders.CLIENT_IP))
        elif self.type == PTR:
            found = record(self.name, PTR, 300, wire_name("out.fine.example"))
        return self.answer([found]) if found else self.answer(authority=[negative()])

    def lie(self, about, ident=None, octets=None):
        """All is allowed, for `about` and on the side for VICTIM."""
        return self.answer([txt(about, "v=spf1 +all"), txt(VICTIM, "v=spf1 +all"),
                            txt(f"_dmarc.{VICTIM}", "v=DMARC1; p=none")], ident=ident, octets=octets)


class TroubleDns:
    """`with TroubleDns() as server:` serves 127.0.0.1:`server.port` from a thread of its own."""

    def __init__(self):
        self.port = None
        self.healed = False  # True: the truth for every question
        self.dead = False    # True: nothing for any question
        self.asked = {}      # name: how often, over UDP

    def __enter__(self):
        ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self.thread.start()
        ready.wait()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join()

    async def _serve(self, ready):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        tcp = await asyncio.start_server(self._over_tcp, "127.0.0.1", 0)
        self.port = tcp.sockets[0].getsockname()[1]
        udp, _ = await self.loop.create_datagram_endpoint(lambda: _Udp(self), ("127.0.0.1", self.port))
        ready.set()
        await self.over.wait()
        udp.close()
        tcp.close()

    def udp_answer(self, question):
        """(delay_s, octets or None)"""
        self.asked[question.name] = self.asked.get(question.name, 0) + 1
        kind = "fine" if self.healed else question.kind
        if self.dead or kind == "silent":
            return 0, None
        if kind == "late":
            return LATE_S, question.truth()
        if kind in ("truncated", "cut"):
            return 0, question.answer(flags=TRUNCATED)
        if kind == "garbage":
            return 0, question.id + struct.pack("!H", QR_RD_RA) + b"\xff" * 40
        if kind == "servfail":
            return 0, question.answer(rcode=SERVFAIL)
        if kind == "stranger":
            return 0, question.lie(question.name, ident=bytes(b ^ 0x5a for b in question.id))
        if kind == "liar":
            return 0, question.lie(VICTIM, octets=wire_name(VICTIM) + question.octets[-4:])
        return 0, question.truth()

    async def _over_tcp(self, reader, writer):
        try:
            size = struct.unpack("!H", await reader.readexactly(2))[0]
            question = Question(await reader.readexactly(size))
            if self.dead or (question.kind == "cut" and not self.healed):
                # Reset, not closed.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                           struct.pack("ii", 1, 0))
            else:
                answer = question.truth()
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server):
        self.server = server

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        delay_s, octets = self.server.udp_answer(Question(data))
        if octets and delay_s:
            self.server.loop.call_later(delay_s, self.transport.sendto, octets, addr)
        elif octets:
            self.transport.sendto(octets, addr)

"""One connection of a raw peer, as a script for either server of labkit.tcp_server sees it."""

from . import packets
from .packets import ACK, FIN, MOD, RST, SYN, names

CLOSED_PORT = 9  # nobody listens there: its answer shows that all before it was dealt with
FIRST_PORT = 20000  # of the peer; each flow has one of its own
OPTIONS = packets.mss(1460) + packets.SACK_OK + packets.wscale(7)


class World:
    """A server and the raw peer on its wire."""

    def __init__(self, server):
        self.server = server
        self.peer_address = server.net.peer
        self.peer = packets.Peer(server.ns, server.device, server.net.peer, server.net.server)
        self.next_port = FIRST_PORT

    def close(self):
        self.peer.close()
        return self.server.stop()

    def port(self):
        self.next_port += 1
        return self.next_port

    def settle(self):
        """Everything sent so far has been taken, and what it was answered has come."""
        for _ in range(2):  # what a poll round puts off leaves behind the first answer
            port = self.port()
            self.peer.send(port, CLOSED_PORT, 1, 0, SYN)
            assert self.peer.wait(lambda s, port=port: s.dport == port), "the server is silent"

    @property
    def mss(self):
        return 1500 - 40 if len(self.peer.address) == 4 else 1500 - 60

    def flow(self, port, **kw):
        return Flow(self, port, **kw)

    def opened(self, port, **kw):
        """A connection to a listening port, and its number at the server."""
        flow = Flow(self, port)
        flow.open(**kw)
        return flow, self.server.accept()


class Flow:
    def __init__(self, world, dport, sport=None, isn=1000000):
        self.world, self.peer = world, world.peer
        self.sport, self.dport = sport or world.port(), dport
        self.snd, self.rcv = isn, 0
        self.clock = None
        self.due = None  # what the server repeats until it is acknowledged, where a case keeps it

    def send(self, flags, payload=b"", seq=None, ack=None, options=b"", **kw):
        """At our own next number, which moves on, unless `seq` is given."""
        if self.clock is not None and not options:
            options = b"\1\1" + packets.timestamps(self.clock, 0)
        here = self.snd if seq is None else seq
        self.peer.send(self.sport, self.dport, here, self.rcv if ack is None else ack, flags, payload, options,
                       **kw)
        if seq is None:
            self.snd = (self.snd + len(payload) + bool(flags & SYN) + bool(flags & FIN)) % MOD

    def got(self, wanted=lambda s: True, timeout_s=packets.PATIENCE_S):
        """The next segment of the connection (for which wanted() is true), or None."""
        return self.peer.wait(lambda s: s.dport == self.sport and s.sport == self.dport and wanted(s), timeout_s)

    def all(self):
        """Whatever has come, once all that was sent has been dealt with."""
        self.world.settle()
        mine = [s for s in self.peer.arrived if s.dport == self.sport and s.sport == self.dport]
        self.peer.arrived = [s for s in self.peer.arrived if s not in mine]
        return mine

    def answers(self):
        """all(), in words."""
        return [self.word(s) for s in self.all()]

    def word(self, segment):
        """Flags (PSH is a matter of taste), numbers from ours, octets."""
        text = names(segment.flags & ~packets.PSH)
        if segment.flags & RST and not segment.flags & ACK:
            return text
        return f"{text} acks {(segment.ack - self.snd + 2**31) % MOD - 2**31:+d}" + \
            (f" with {len(segment.payload)}" if segment.payload else "")

    def open(self, options=OPTIONS, window=65535):
        self.send(SYN, options=options, window=window)
        answer = self.got()
        assert answer and answer.flags == SYN | ACK and answer.ack == self.snd, f"to SYN came {answer}"
        self.rcv = answer.end
        self.send(ACK, window=window)
        return answer

    def take(self, octets, first=None, **kw):
        """Data of the server until so many octets came in order, each segment acknowledged."""
        data = b""
        while len(data) < octets:
            segment = first or self.got(lambda s: s.payload and s.seq == self.rcv)
            assert segment, f"{len(data)} of {octets} octets came"
            first = None
            data += segment.payload
            self.rcv = (self.rcv + len(segment.payload)) % MOD
            self.send(ACK, **kw)
        return data

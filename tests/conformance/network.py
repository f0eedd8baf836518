"""Under TCP: packets that no host takes, those that every host does, and ICMP errors."""

import socket

from labkit import ip, packets
from labkit.packets import ACK, PSH, SYN

from . import PORT, fate, outcome

DATA = b"twelve bytes"
HEAD = 24  # of its segment, in a first fragment: the whole TCP header (RFC 8200 §4.5)


def v4(w):
    return len(w.peer.address) == 4


def each_packet(w, kinds):
    """What a program gets of data sent on a fresh connection, for each way to pack it."""
    found = {}
    for name, pack in kinds.items():
        flow, number = w.opened(PORT)
        pack(w.peer, w.peer.segment(flow.sport, PORT, flow.snd, flow.rcv, ACK | PSH, DATA))
        w.settle()
        found[name] = fate(w, number)
        w.server.abort(number)
    return found


# --- packets

ROUTE = bytes((131, 7, 4)) + socket.inet_aton("198.51.100.1") + b"\1"
DROPPED_4 = {
    "wrong header checksum": lambda p, t: p.send_ip(t, damage=1),
    "wrong segment checksum": lambda p, t: p.send_ip(t[:16] + bytes((t[16] ^ 1,)) + t[17:]),
    "longer than its frame": lambda p, t: p.send_ip(t, total=len(t) + 21),
    "shorter than its header": lambda p, t: p.send_ip(t, total=19),
    "of length 0": lambda p, t: p.send_ip(t, total=0),
    "version 5": lambda p, t: p.send_packet(b"\x55" + ip.ip4(p.address, p.server, ip.TCP, t)[1:]),
    "header of 16 octets": lambda p, t: p.send_packet(b"\x44" + ip.ip4(p.address, p.server, ip.TCP, t)[1:]),
    "source route": lambda p, t: p.send_ip(t, options=ROUTE),
    "option longer than the header": lambda p, t: p.send_ip(t, options=b"\x44\x28\5\0"),
    "another protocol": lambda p, t: p.send_ip(t, protocol=132),
    "to everybody's MAC": lambda p, t: p.send_packet(ip.ip4(p.address, p.server, ip.TCP, t), packets.BROADCAST),
}
TAKEN_4 = {
    "plain": lambda p, t: p.send_ip(t),
    "TTL 0": lambda p, t: p.send_ip(t, ttl=0),
    "padded frame": lambda p, t: p.send_packet(ip.ip4(p.address, p.server, ip.TCP, t) + bytes(20)),
    "don't fragment not set": lambda p, t: p.send_ip(t, fragment=0),
    "no-operation options": lambda p, t: p.send_ip(t, options=b"\1\1\1\0"),
    "record route": lambda p, t: p.send_ip(t, options=b"\7\7\4\0\0\0\0\0"),
}
DROPPED_6 = {
    "wrong segment checksum": lambda p, t: p.send_ip(t[:16] + bytes((t[16] ^ 1,)) + t[17:]),
    "longer than its frame": lambda p, t: p.send_ip(t, total=len(t) + 1),
    "version 4 in the header": lambda p, t: p.send_frame(ip.ETH_IP6, b"\x40" + ip.ip6(
        p.address, p.server, ip.TCP, t)[1:]),
    "another protocol": lambda p, t: p.send_ip(t, protocol=132),
    "routing header with a way to go": lambda p, t: p.send_ip(t, extensions=((43, b"\2\0\1" + bytes(20)),)),
    "hop-by-hop options not first": lambda p, t: p.send_ip(
        t, extensions=((60, b"\0\1\4\0\0\0\0"), (0, b"\0\1\4\0\0\0\0"))),
    "extension longer than the packet": lambda p, t: p.send_ip(t, extensions=((60, b"\xff\1\4\0\0\0\0"),)),
    "no next header": lambda p, t: p.send_ip(t, protocol=59),
    "to everybody's MAC": lambda p, t: p.send_packet(ip.ip6(p.address, p.server, ip.TCP, t), packets.BROADCAST),
}
TAKEN_6 = {
    "plain": lambda p, t: p.send_ip(t),
    "hop limit 0": lambda p, t: p.send_ip(t, ttl=0),
    "padded frame": lambda p, t: p.send_packet(ip.ip6(p.address, p.server, ip.TCP, t) + bytes(20)),
    "hop-by-hop options": lambda p, t: p.send_ip(t, extensions=((0, b"\0\1\4\0\0\0\0"),)),
    "destination options": lambda p, t: p.send_ip(t, extensions=((60, b"\0\1\4\0\0\0\0"),)),
    "routing header at its end": lambda p, t: p.send_ip(t, extensions=((43, b"\2\0\0" + bytes(20)),)),
    "a fragment that is all of it": lambda p, t: p.send_ip(t, extensions=((44, b"\0\0\0\0\0\0\7"),)),
}


def packets_that_are_wrong_are_dropped(w):
    return each_packet(w, DROPPED_4 if v4(w) else DROPPED_6)


def packets_that_are_only_odd_are_taken(w):
    return each_packet(w, TAKEN_4 if v4(w) else TAKEN_6)


def fragments(w):
    """Kernels put them together, under af_packet too; we drop and count them: no mail server's TCP is
    fragmented, and a table of pieces is a stranger's to fill."""
    def cut4(p, t):
        p.send_ip(t[:HEAD], fragment=0x2000, identification=777)
        p.send_ip(t[HEAD:], fragment=HEAD // 8, identification=777)

    def cut6(p, t):
        p.send_ip(t[:HEAD], extensions=((44, b"\0\0\1\0\0\0\7"),))
        p.send_ip(t[HEAD:], extensions=((44, bytes((0, 0, HEAD, 0, 0, 0, 7))),))

    def alone4(p, t):
        p.send_ip(t[HEAD:], fragment=HEAD // 8, identification=778)

    def alone6(p, t):
        p.send_ip(t[HEAD:], extensions=((44, bytes((0, 0, HEAD, 0, 0, 0, 8))),))

    found = each_packet(w, {"two": cut4 if v4(w) else cut6, "the second": alone4 if v4(w) else alone6})
    return found["two"] in ("open", DATA), found["the second"]


FOREIGN_4 = ("0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", "240.0.0.1", "10.79.0.255", "10.79.0.2")
FOREIGN_6 = ("::", "::1", "ff02::1", "ff0e::7", "::ffff:10.79.0.2", "fd79::2")


def no_answer_to(w, sources):
    """Whoever they claim to be: a SYN of theirs opens nothing. How many SYNs were answered."""
    w.settle()
    w.peer.arrived.clear()
    for source in sources:
        src = ip.packed(source)
        w.peer.send_ip(w.peer.segment(w.port(), PORT, 1000, 0, SYN, src=src), src=src)
        w.peer.send_ip(w.peer.segment(PORT, PORT, 1000, 0, SYN, src=src), src=src)
    w.settle()
    return len([s for s in w.peer.arrived if s.flags & SYN]), outcome(lambda: w.server.accept(0))


def nobody_can_come_from_there(w):
    return no_answer_to(w, FOREIGN_4 if v4(w) else FOREIGN_6)


def port_0_is_nobody(w):
    found = []
    for sport, dport in ((0, PORT), (w.port(), 0)):
        flow = w.flow(dport, sport=sport or None)
        w.peer.send(sport, dport, 1000, 0, SYN)
        found.append([packets.names(s.flags) for s in flow.all()])
    return found[0], outcome(lambda: w.server.accept(0))


# --- ICMP

def hole(w, number):
    """A full segment that the peer does not acknowledge."""
    w.server.send(number, bytes(w.mss))
    return w.peer.wait(lambda s: s.payload and len(s.payload) > 1000)


def too_big(w, segment, mtu=1300, ahead=0):
    at = 24 if v4(w) else 44
    quoted = bytearray(segment.packet)
    quoted[at:at + 4] = ((segment.seq + ahead) % packets.MOD).to_bytes(4, "big")
    w.peer.send_packet(ip.icmp_error(w.peer.address, w.peer.server, bytes(quoted), ip.TOO_BIG, mtu))


def errors_about_what_is_not_under_way_are_forged(w):
    """RFC 5927 §4.1: the quoted number must be in flight."""
    found = []
    for ahead in (-100000, 100000, 1 << 31):
        flow, number = w.opened(PORT)
        segment = hole(w, number)
        too_big(w, segment, ahead=ahead)
        smaller = [s for s in flow.all() if s.payload and len(s.payload) < 1300 and s.seq == segment.seq]
        found.append((len(smaller), fate(w, number)))
        w.server.abort(number)
    return found


def unreachable_leaves_an_open_connection_alone(w):
    """RFC 5927 §5.2: hard errors are soft ones there."""
    found = []
    for code in (0, 1, 2, 3, 9, 10, 13) if v4(w) else (0, 1, 3, 4):
        flow, number = w.opened(PORT)
        segment = hole(w, number)
        w.peer.send_packet(ip.icmp_error(w.peer.address, w.peer.server, segment.packet, ip.UNREACHABLE, code=code))
        flow.all()
        found.append(fate(w, number))
        w.server.abort(number)
    return set(found)


def port_unreachable_refuses_an_open(w):
    port = w.port()
    number = w.server.connect(w.peer_address, port)
    syn = w.peer.wait(lambda s: s.dport == port and s.flags == SYN)
    w.peer.send_packet(ip.icmp_error(w.peer.address, w.peer.server, syn.packet, ip.UNREACHABLE))
    w.settle()
    end = outcome(lambda: w.server.established(number))
    w.server.abort(number)
    return end


def too_big_makes_segments_smaller(w):
    """Last of all: the kernel keeps it in mind for the peer's address."""
    flow, number = w.opened(PORT)
    segment = hole(w, number)
    too_big(w, segment)
    again = flow.got(lambda s: s.payload and s.seq == segment.seq)
    flow.take(w.mss, first=again)
    w.server.send(number, bytes(3000))
    sizes = [len(s.payload) for s in flow.all() if s.payload]
    w.server.abort(number)
    return len(again.payload), max(sizes)


CASES = [
    (packets_that_are_wrong_are_dropped, lambda w: dict.fromkeys(DROPPED_4 if v4(w) else DROPPED_6, "open")),
    (packets_that_are_only_odd_are_taken, lambda w: dict.fromkeys(TAKEN_4 if v4(w) else TAKEN_6, DATA)),
    (fragments, (True, "open")),
    (nobody_can_come_from_there, (0, "EAGAIN")),
    (port_0_is_nobody, ([], "EAGAIN")),
    (errors_about_what_is_not_under_way_are_forged, [(0, "open")] * 3),
    (unreachable_leaves_an_open_connection_alone, {"open"}),
    (port_unreachable_refuses_an_open, "ECONNREFUSED"),
    (too_big_makes_segments_smaller, lambda w: (1260, 1260) if v4(w) else (1240, 1240)),
]

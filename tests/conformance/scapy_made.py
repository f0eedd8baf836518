"""Segments and packets that scapy makes, of every kind that is illegal.

Each case sends them at a connection in some state; what follows is a legal exchange, which must end as if
they had not come.
"""

import logging
import os
import random
import warnings

from labkit import ip
from labkit.packets import ACK, FIN, MOD, RST, SYN

from . import PORT, outcome, states

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # of interfaces, which are not asked
    from scapy.layers.inet import ICMP, IP, TCP, fragment
    from scapy.layers.inet6 import (HBHOptUnknown, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
                                    IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Jumbo)
    from scapy.packet import Raw, fuzz

EVIL, GOOD, BACK = b"evil", b"good", b"back"
RANDOM = 250  # packets of any content at all


def v4(w):
    return len(w.peer.address) == 4


def network(w, **fields):
    layer = IP if v4(w) else IPv6
    return layer(src=w.peer_address, dst=w.server.net.server, **fields)


def tcp(flow, **fields):
    made = {"sport": flow.sport, "dport": flow.dport, "seq": flow.snd, "ack": flow.rcv, "flags": "PA",
            "window": 65535, **fields}
    return TCP(**{**made, "seq": made["seq"] % MOD, "ack": made["ack"] % MOD})


def send(w, packet):
    w.peer.send_frame(ip.ETH_IP4 if v4(w) else ip.ETH_IP6, bytes(packet))


# --- every combination of flags, in every state

def may_move(reach, flags):
    """The first segment of a handshake is legal at any number there (with a FIN, kernels take it for one)."""
    return flags & (SYN | ACK | RST) == SYN and reach in (states.syn_sent, states.time_wait)


def talk(w, flow, number):
    """Octets both ways, and an end in good order."""
    flow.send(ACK, GOOD)
    got = w.server.recv(number, 100)
    w.server.send(number, BACK)
    back = flow.take(len(BACK))
    flow.send(FIN | ACK)
    end = w.server.recv(number, 100)
    w.server.close(number)
    flow.rcv = flow.got(lambda s: s.flags & FIN).end
    flow.send(ACK)
    flow.send(ACK)
    return got, back, end, flow.answers()[-1:]


def opened_by_us(w, flow, number):
    flow.send(SYN | ACK)
    w.server.established(number)
    return talk(w, flow, number)


def accepted(w, flow, _):
    flow.send(ACK)
    return talk(w, flow, w.server.accept())


def half_closed(w, flow, number):
    flow.rcv = flow.due.end
    flow.send(ACK, GOOD)
    got = w.server.recv(number, 100)
    flow.send(FIN | ACK)
    end = w.server.recv(number, 100)
    w.server.close(number)
    return got, end, waiting(w, flow, None)


def shut_by_the_peer(w, flow, number):
    w.server.send(number, BACK)
    back = flow.take(len(BACK))
    w.server.close(number)
    flow.rcv = flow.got(lambda s: s.flags & FIN).end
    flow.send(ACK)
    flow.send(ACK)
    return back, flow.answers()[-1:]


def last_acknowledged(w, flow, number):
    flow.rcv = flow.due.end
    flow.send(ACK)
    w.server.close(number)
    flow.send(ACK)
    w.settle()
    return [flow.word(s) for s in flow.all() if s.flags & RST]


def both_closed(w, flow, number):
    flow.rcv = flow.due.end
    flow.send(ACK)
    w.server.close(number)
    return waiting(w, flow, None)


def waiting(w, flow, number):
    w.settle()
    w.peer.arrived.clear()
    if number:
        w.server.close(number)
    return states.remembered(flow)


TALKED = GOOD, BACK, b"", ["RST"]
ENDS = {
    states.syn_sent: (opened_by_us, TALKED),
    states.syn_received: (accepted, TALKED),
    states.established: (talk, TALKED),
    states.fin_wait_1: (half_closed, (GOOD, b"", "TIME-WAIT")),
    states.fin_wait_2: (half_closed, (GOOD, b"", "TIME-WAIT")),
    states.close_wait: (shut_by_the_peer, (BACK, ["RST"])),
    states.closing: (both_closed, "TIME-WAIT"),
    states.last_ack: (last_acknowledged, ["RST"]),
    states.time_wait: (waiting, "TIME-WAIT"),
}


def every_flag_far_away(reach, finish):
    def case(w):
        flow, number = reach(w)
        segment = network(w) / tcp(flow, seq=flow.snd + states.FAR) / Raw(EVIL)
        for flags in range(256):
            segment[TCP].flags = flags
            if reach is states.syn_sent:  # where numbers of the peer's are not known yet
                segment[TCP].ack = (flow.rcv + states.FAR) % MOD
            if not may_move(reach, flags):
                send(w, segment)
        w.settle()
        w.peer.arrived.clear()
        return finish(w, flow, number)
    case.__name__ = f"any_flags_far_away_move_nothing_in_{reach.__name__}"
    return case


def any_flags_but_a_syn_open_nothing(w):
    flow = w.flow(PORT)
    segment = network(w) / tcp(flow, ack=12345) / Raw(EVIL)
    for flags in range(256):
        segment[TCP].flags = flags
        if flags & (SYN | ACK | RST | FIN) != SYN:
            send(w, segment)
    w.settle()
    w.peer.arrived.clear()
    nothing = outcome(lambda: w.server.accept(0))
    flow.open()
    return nothing, talk(w, flow, w.server.accept())


# --- what no host takes

def wrong_checksum(segment, base):
    segment.chksum = TCP(bytes(base / segment)[len(base):]).chksum ^ 0x5555
    return segment


def illegal_segments(w, flow):
    """Segments on a packet that has no fault."""
    base = network(w)
    kinds = {f"header of {words} words": tcp(flow, dataofs=words) / Raw(EVIL) for words in range(5)}
    kinds.update({f"header of {words} words in a segment of 6": tcp(flow, dataofs=words) / Raw(EVIL)
                  for words in range(7, 16)})
    kinds.update({
        "wrong checksum": wrong_checksum(tcp(flow) / Raw(EVIL), base),
        "checksum of another port": tcp(flow, chksum=TCP(bytes(base / tcp(flow, sport=1))[len(base):]).chksum ^ 1),
        "without ACK": tcp(flow, flags="P") / Raw(EVIL),
        "without a flag": tcp(flow, flags=0) / Raw(EVIL),
        "urgent without ACK": tcp(flow, flags="U", urgptr=65535) / Raw(EVIL),
        "all flags at once": tcp(flow, flags="FSRPAUEC", seq=flow.snd + 1) / Raw(EVIL),
        "SYN with data": tcp(flow, flags="S") / Raw(EVIL),
        "SYN and FIN": tcp(flow, flags="SF") / Raw(EVIL),
        "SYN and RST in the window": tcp(flow, flags="SR", seq=flow.snd + 1) / Raw(EVIL),
        "RST with data in the window": tcp(flow, flags="R", seq=flow.snd + 1) / Raw(EVIL),
        "RST before the window": tcp(flow, flags="RA", seq=flow.snd - 1),
        "ACK of what was not sent": tcp(flow, ack=flow.rcv + 1) / Raw(EVIL),
        "ACK of half the numbers ahead": tcp(flow, ack=flow.rcv + 2**31 - 1) / Raw(EVIL),
        "data before the window": tcp(flow, seq=flow.snd - 4) / Raw(EVIL),
        "data half the numbers ahead": tcp(flow, seq=flow.snd + 2**31 - 8) / Raw(EVIL),
        "less than a header": Raw(bytes(tcp(flow, chksum=0))[:19]),
        "two ports alone": Raw(bytes(tcp(flow, chksum=0))[:4]),
        "no segment at all": Raw(b""),
        "to itself": tcp(flow, sport=PORT, flags="S"),
    })
    return {name: network(w, **({"proto": 6} if v4(w) else {"nh": 6})) / segment for name, segment in kinds.items()}


def with_options(w, segment, octets):
    """Octets for options of the IP header; the layer makes only good ones."""
    return Raw(ip.ip4(w.peer.address, w.peer.server, ip.TCP, bytes(network(w) / segment)[20:], options=octets))


def illegal_ip4(w, flow):
    """Segments without a fault, on packets that have one."""
    plain = tcp(flow) / Raw(EVIL)
    land = IP(src=w.server.net.server, dst=w.server.net.server) / TCP(sport=PORT, dport=PORT, flags="S")
    torn = fragment(network(w, id=900) / tcp(flow) / Raw(EVIL * 20), 40)
    kinds = {f"version {n}": network(w, version=n) / plain for n in (0, 1, 3, 5, 6, 15)}
    kinds.update({f"header of {words} words": network(w, ihl=words) / plain for words in (0, 1, 2, 3, 4, 15)})
    kinds.update({f"total length {n}": network(w, len=n) / plain for n in (0, 1, 19, 20, 21, 39, 45, 1500, 65535)})
    kinds.update({f"protocol {n}": network(w, proto=n) / plain for n in (0, 17, 41, 50, 51, 132, 255)})
    kinds.update({f"option {octets.hex()}": with_options(w, plain, octets) for octets in (
        b"\x83\0\0\0", b"\x83\1\0\0", b"\x83\x07\x04\x0a\x4f\0\x4d\0", b"\x89\x07\x04\x0a\x4f\0\x4d\0",
        b"\x07\x28\x04\0", b"\x44\2\0\0", b"\x44\xff\5\0")})
    kinds.update({
        "wrong header checksum": network(w, chksum=0x1234) / plain,
        "a packet in a packet": network(w, proto=4) / network(w) / plain,
        "from ourselves": land,
        "a first fragment alone": network(w, flags="MF", id=901) / plain,
        "a last fragment alone": network(w, frag=1, id=902) / plain,
        "a fragment past the end of all": network(w, frag=8191, id=903) / plain,
        "fragments that overlap": [torn[0], network(w, id=900, frag=4, flags="MF", proto=6) / Raw(EVIL * 4),
                                   *torn[1:]],
        "an error about an error": network(w) / ICMP(type=3, code=1) / network(w) / ICMP(type=3, code=3),
        "an error that quotes nothing": network(w) / ICMP(type=3, code=3),
        "an error that quotes half a header": network(w) / ICMP(type=3, code=3) / Raw(bytes(network(w))[:10]),
    })
    return kinds


def illegal_ip6(w, flow):
    plain = tcp(flow) / Raw(EVIL)
    stop, stop_and_tell = HBHOptUnknown(otype=0x5e, optdata=EVIL), HBHOptUnknown(otype=0x9e, optdata=EVIL)
    kinds = {f"version {n}": network(w, version=n) / plain for n in (0, 1, 4, 5, 7, 15)}
    kinds.update({f"payload of {n}": network(w, plen=n) / plain for n in (1, 7, 19, 25, 1500, 65535)})
    kinds.update({f"next header {n}": network(w, nh=n) / plain for n in (17, 41, 50, 51, 59, 132, 253, 255)})
    kinds.update({
        "from ourselves": IPv6(src=w.server.net.server, dst=w.server.net.server) / TCP(
            sport=PORT, dport=PORT, flags="S"),
        "jumbo payload": network(w, plen=0) / IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=70000)]) / plain,
        "hop-by-hop options twice": network(w) / IPv6ExtHdrHopByHop() / IPv6ExtHdrHopByHop() / plain,
        "an option to stop at": network(w) / IPv6ExtHdrHopByHop(options=[stop]) / plain,
        "an option to stop at and tell": network(w) / IPv6ExtHdrDestOpt(options=[stop_and_tell]) / plain,
        "an option past its header": network(w) / IPv6ExtHdrDestOpt(options=[
            HBHOptUnknown(otype=1, optlen=200, optdata=EVIL)]) / plain,
        "an extension past the packet": network(w) / IPv6ExtHdrDestOpt(len=255) / plain,
        "a route with a way to go": network(w) / IPv6ExtHdrRouting(
            addresses=[w.server.net.server], segleft=1) / plain,
        "more segments left than there are": network(w) / IPv6ExtHdrRouting(addresses=[], segleft=9) / plain,
        "a first fragment alone": network(w) / IPv6ExtHdrFragment(m=1, id=901) / plain,
        "a last fragment alone": network(w) / IPv6ExtHdrFragment(offset=1, id=902) / plain,
        "a fragment past the end of all": network(w) / IPv6ExtHdrFragment(offset=8191, id=903) / plain,
        "fragments that overlap": [network(w) / IPv6ExtHdrFragment(m=1, id=904, nh=6) / Raw(bytes(32)),
                                   network(w) / IPv6ExtHdrFragment(offset=2, id=904, nh=6) / Raw(bytes(32))],
        "an error that quotes nothing": network(w) / ICMPv6PacketTooBig(mtu=68),
        "an error that quotes half a header": network(w) / ICMPv6PacketTooBig(mtu=68) / Raw(bytes(network(w))[:20]),
    })
    return kinds


def got_beside(w, kinds_of):
    """
    What a program reads after each: of a segment in its place, and no other. One connection for all, as
    long as it lives.
    """
    found = {}
    flow, number = w.opened(PORT)
    for name in kinds_of(w, flow):
        made = kinds_of(w, flow)[name]
        for packet in made if isinstance(made, list) else [made]:
            send(w, packet)
        flow.send(ACK, GOOD)
        found[name] = outcome(lambda number=number: w.server.recv(number, 100))
        if not isinstance(found[name], bytes):
            flow, number = w.opened(PORT)
    return {name: got for name, got in found.items() if got != GOOD}, talk(w, flow, number)


def illegal_segments_are_as_if_they_had_not_come(w):
    return got_beside(w, illegal_segments)


def illegal_packets_are_as_if_they_had_not_come(w):
    return got_beside(w, illegal_ip4 if v4(w) else illegal_ip6)


def illegal_syns_open_nothing(w):
    """The same packets around a SYN."""
    kinds_of = illegal_ip4 if v4(w) else illegal_ip6
    found = []
    for name in kinds_of(w, w.flow(PORT)):
        flow = w.flow(PORT)
        made = kinds_of(w, flow)[name]
        for packet in made if isinstance(made, list) else [made]:
            if packet.haslayer(TCP) and bytes(packet[TCP].payload) == EVIL:
                packet[TCP].flags, packet[TCP].ack = "S", 0
                send(w, packet)
        found.append((name, flow))
    w.settle()
    came = {s.dport for s in w.peer.arrived if s.flags & SYN}
    w.peer.arrived.clear()
    flow, number = w.opened(PORT)
    return [name for name, flow in found if flow.sport in came], talk(w, flow, number)


# --- odd, but legal

def odd_segments(flow):
    edges = [(flow.rcv + 10, flow.rcv), (flow.rcv - 2**31, flow.rcv + 2**31), (0, MOD - 1)]
    return {
        "urgent data at 0": tcp(flow, flags="PAU", urgptr=0),
        "urgent data far ahead": tcp(flow, flags="PAU", urgptr=65535),
        "an urgent pointer without the flag": tcp(flow, urgptr=1),
        "the reserved bits": tcp(flow, reserved=7),
        "congestion flags nobody agreed on": tcp(flow, flags="PAEC"),
        "SACK of what was not sent": tcp(flow, options=[
            ("NOP", None), ("NOP", None), ("SAck", tuple(edge % MOD for pair in edges for edge in pair))]),
        "SACK permitted again": tcp(flow, options=[("SAckOK", b"")]),
        "window scale of 255": tcp(flow, options=[("WScale", 255), ("NOP", None)]),
        "MSS of 0": tcp(flow, options=[("MSS", 0)]),
        "timestamps nobody agreed on": tcp(flow, options=[("Timestamp", (MOD - 1, 7))]),
        "forty octets of no operation": tcp(flow, options=[("NOP", None)] * 40),
        "options after their end": tcp(flow, options=[("EOL", None), ("MSS", 1), ("WScale", 14)]),
    }


def odd_segments_are_taken(w):
    found = {}
    flow, number = w.opened(PORT)
    for name in odd_segments(flow):
        send(w, network(w) / odd_segments(flow)[name] / Raw(GOOD))
        flow.snd += len(GOOD)
        found[name] = outcome(lambda: w.server.recv(number, 100))
    return {name: got for name, got in found.items() if got != GOOD}, talk(w, flow, number)


# --- anything

def nothing_made_at_random_does_harm(w):
    """Every field that the layer knows, of any value; checksums and lengths sometimes right."""
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"# seed {seed}", flush=True)
    random.seed(seed)
    flow, number = w.opened(PORT)
    ends = network(w)
    for i in range(RANDOM):
        segment = fuzz(TCP(sport=flow.sport, dport=PORT, **({"seq": flow.snd + 1 + i, "flags": i % 256 & ~FIN,
                                                           "ack": flow.rcv + 1 + i} if i % 2 else {})))
        whole = fuzz(type(ends)(src=ends.src, dst=ends.dst)) if i % 3 == 0 else ends
        send(w, bytes(whole / segment / Raw(EVIL))[:1500])
    w.settle()
    w.peer.arrived.clear()
    return talk(w, flow, number)


CASES = [
    *((every_flag_far_away(reach, finish), end) for reach, (finish, end) in ENDS.items()),
    (any_flags_but_a_syn_open_nothing, ("EAGAIN", TALKED)),
    (illegal_segments_are_as_if_they_had_not_come, ({}, TALKED)),
    (illegal_packets_are_as_if_they_had_not_come, ({}, TALKED)),
    (illegal_syns_open_nothing, ([], TALKED)),
    (odd_segments_are_taken, ({}, TALKED)),
    (nothing_made_at_random_does_harm, TALKED),
]

"""TCP segments by hand: an endpoint on a raw socket whose address no kernel has.

The kernel of its namespace does not know the address, so it answers nothing by itself: the peer
answers ARP and NDP, and every TCP segment that leaves is one that a test asked for.
"""

import dataclasses
import select
import socket
import struct
import time

from . import ip, netns
from .proc import LabError

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))
ETH_P_ALL = 3
PATIENCE_S = 60
SO_RCVBUFFORCE, RECEIVE_BUFFER = 33, 8 << 20
MOD = 1 << 32
BROADCAST = b"\xff" * 6


def names(flags):
    return "|".join(name for bit, name in NAMES if flags & bit) or "none"


def mss(value):
    return struct.pack("!BBH", 2, 4, value)


def wscale(shift):
    return bytes((3, 3, shift))


SACK_OK = bytes((4, 2))


def timestamps(value, echo=0):
    return struct.pack("!BBII", 8, 10, value, echo)


def sack(*blocks):
    return b"".join((bytes((5, 2 + 8 * len(blocks))), *(struct.pack("!II", a % MOD, b % MOD) for a, b in blocks)))


def parse_options(data):
    """{kind: octets}; stops at nonsense."""
    options = {}
    while data and data[0] != 0:
        if data[0] == 1:
            data = data[1:]
            continue
        if len(data) < 2 or not 2 <= data[1] <= len(data):
            break
        options[data[0]] = data[2:data[1]]
        data = data[data[1]:]
    return options


@dataclasses.dataclass
class Segment:
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    options: dict
    payload: bytes
    at: float
    packet: bytes  # IP header and all, as an ICMP error quotes it

    @property
    def end(self):
        return (self.seq + len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)) % MOD

    def __str__(self):
        return f"{names(self.flags)} seq {self.seq} ack {self.ack} win {self.window} len {len(self.payload)}"


class Peer:
    """The raw endpoint on an interface of a namespace."""

    def __init__(self, ns, device, address, server):
        self.address, self.server = ip.packed(address), ip.packed(server)
        with netns.entered(ns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
            self.socket.bind((device, 0))
            self.mac = bytes.fromhex("02005e000001")
        self.server_mac = None
        self.arrived = []
        self.identification = 0
        self.find_server()

    def close(self):
        self.socket.close()

    # --- neighbours

    def send_frame(self, kind, data, mac=None):
        self.socket.send((mac or self.server_mac) + self.mac + struct.pack("!H", kind) + data)

    def ask(self):
        if len(self.address) == 4:
            self.send_frame(ip.ETH_ARP, ip.arp(1, self.mac, self.address, bytes(6), self.server), BROADCAST)
        else:
            group, mac = ip.solicited_node(self.server)
            self.send_frame(ip.ETH_IP6, ip.neighbour(ip.ND_SOLICIT, self.mac, self.address, group, self.server), mac)

    def find_server(self):
        deadline = time.monotonic() + PATIENCE_S
        while self.server_mac is None:
            if time.monotonic() > deadline:
                raise LabError("the server does not answer ARP or NDP", "is it running on that interface?")
            self.ask()
            self.take(0.2)

    def take_arp(self, arp):
        operation = struct.unpack_from("!H", arp, 6)[0]
        mac, sender, target = arp[8:14], arp[14:18], arp[24:28]
        if operation == 2 and sender == self.server:
            self.server_mac = mac
        if operation == 1 and target == self.address:
            self.send_frame(ip.ETH_ARP, ip.arp(2, self.mac, self.address, mac, sender), mac)

    def take_neighbour(self, mac, packet):
        kind, target = packet.payload[0], packet.payload[8:24]
        if kind == ip.ND_ADVERT and target == self.server:
            self.server_mac = mac
        if kind == ip.ND_SOLICIT and target == self.address and any(packet.src):
            self.send_frame(ip.ETH_IP6, ip.neighbour(ip.ND_ADVERT, self.mac, self.address, packet.src, target), mac)

    # --- receiving

    def take(self, timeout_s):
        """One frame, into `arrived` if it is a segment for us. False when none came."""
        if not select.select([self.socket], [], [], timeout_s)[0]:
            return False
        frame, address = self.socket.recvfrom(65536)
        if address[2] == socket.PACKET_OUTGOING:
            return True
        kind = struct.unpack_from("!H", frame, 12)[0]
        if kind == ip.ETH_ARP and len(self.address) == 4:
            self.take_arp(frame[14:])
        elif kind == (ip.ETH_IP4 if len(self.address) == 4 else ip.ETH_IP6):
            packet = ip.parse(frame[14:])
            if packet.protocol == ip.ICMP6:
                self.take_neighbour(frame[6:12], packet)
            elif packet.protocol == ip.TCP and packet.dst == self.address:
                self.take_segment(packet, frame[14:])
        return True

    def take_segment(self, packet, whole):
        tcp = packet.payload
        if ip.checksum(ip.pseudo(packet.src, packet.dst, ip.TCP, len(tcp)) + tcp) != 0:
            raise AssertionError("a segment came with a wrong checksum")
        sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", tcp)
        offset = (offset >> 4) * 4
        self.arrived.append(Segment(sport, dport, seq, ack, flags & 63, window, parse_options(tcp[20:offset]),
                                    tcp[offset:], time.monotonic(), whole))

    def wait(self, wanted, timeout_s=PATIENCE_S):
        """Takes the first segment for which wanted(segment) is true out of what came; None: none did."""
        deadline = time.monotonic() + timeout_s
        seen = 0
        while True:
            for i in range(seen, len(self.arrived)):
                if wanted(self.arrived[i]):
                    return self.arrived.pop(i)
            seen = len(self.arrived)
            left = deadline - time.monotonic()
            if left <= 0 or not self.take(left):
                return None

    # --- sending

    def segment(self, sport, dport, seq, ack, flags, payload=b"", options=b"", window=65535, offset=None,
                damage=0, urgent=0, src=None):
        """`offset` in words and `damage` to the checksum where the header shall be wrong."""
        options += bytes(-len(options) % 4)
        words = 5 + len(options) // 4 if offset is None else offset
        tcp = struct.pack("!HHIIBBHHH", sport, dport, seq % MOD, ack % MOD, words << 4, flags, window, 0, urgent)
        tcp = ip.with_checksum(src or self.address, self.server, ip.TCP, tcp + options + payload, 16)
        return tcp[:16] + struct.pack("!H", struct.unpack_from("!H", tcp, 16)[0] ^ damage) + tcp[18:]

    def send(self, *args, **kw):
        self.send_ip(self.segment(*args, **kw))

    def send_ip(self, tcp, src=None, dst=None, protocol=ip.TCP, **kw):
        if len(self.address) == 4:
            self.identification = (self.identification + 1) & 0xffff
            kw.setdefault("identification", self.identification)
        self.send_packet(ip.ip_packet(src or self.address, dst or self.server, protocol, tcp, **kw))

    def send_packet(self, packet, mac=None):
        self.send_frame(ip.ether_type(packet), packet, mac)

"""TCP segments by hand: an endpoint on a raw socket whose address no kernel has.

The kernel of its namespace does not know the address, so it answers nothing by itself: the peer
answers ARP, and every TCP segment that leaves is one that a test asked for. IPv4 on Ethernet.
"""

import dataclasses
import select
import socket
import struct
import time

from . import netns
from .proc import LabError

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))
ETH_ARP, ETH_IP = 0x0806, 0x0800
ETH_P_ALL = 3
PATIENCE_S = 10
MOD = 1 << 32


def names(flags):
    return "|".join(name for bit, name in NAMES if flags & bit) or "none"


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def mss(value):
    return struct.pack("!BBH", 2, 4, value)


def wscale(shift):
    return bytes((3, 3, shift))


SACK_OK = bytes((4, 2))


def timestamps(value, echo=0):
    return struct.pack("!BBII", 8, 10, value, echo)


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

    @property
    def end(self):
        return (self.seq + len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)) % MOD

    def __str__(self):
        return f"{names(self.flags)} seq {self.seq} ack {self.ack} win {self.window} len {len(self.payload)}"


class Peer:
    """The raw endpoint on an interface of a namespace."""

    def __init__(self, ns, device, address, server):
        self.address, self.server = socket.inet_aton(address), socket.inet_aton(server)
        with netns.entered(ns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.socket.bind((device, 0))
            self.mac = bytes.fromhex("02005e000001")
        self.server_mac = None
        self.arrived = []
        self.identification = 0
        self.find_server()

    def close(self):
        self.socket.close()

    def arp(self, operation, mac, address):
        target = mac if operation == 2 else bytes(6)
        self.socket.send((mac if operation == 2 else b"\xff" * 6) + self.mac + struct.pack("!H", ETH_ARP)
                         + struct.pack("!HHBBH", 1, ETH_IP, 6, 4, operation)
                         + self.mac + self.address + target + address)

    def find_server(self):
        deadline = time.monotonic() + PATIENCE_S
        while self.server_mac is None:
            if time.monotonic() > deadline:
                raise LabError("the server does not answer ARP", "is it running on that interface?")
            self.arp(1, None, self.server)
            self.take(0.2)

    def take(self, timeout_s):
        """One frame, into `arrived` if it is a segment for us. False when none came."""
        if not select.select([self.socket], [], [], timeout_s)[0]:
            return False
        frame, address = self.socket.recvfrom(65536)
        if address[2] == socket.PACKET_OUTGOING:
            return True
        kind = struct.unpack_from("!H", frame, 12)[0]
        if kind == ETH_ARP:
            self.take_arp(frame[14:])
        elif kind == ETH_IP and frame[14 + 9] == socket.IPPROTO_TCP and frame[30:34] == self.address:
            self.take_ip(frame[14:])
        return True

    def take_arp(self, arp):
        operation = struct.unpack_from("!H", arp, 6)[0]
        mac, sender, target = arp[8:14], arp[14:18], arp[24:28]
        if operation == 2 and sender == self.server:
            self.server_mac = mac
        if operation == 1 and target == self.address:
            self.arp(2, mac, sender)

    def take_ip(self, packet):
        header = (packet[0] & 15) * 4
        tcp = packet[header:struct.unpack_from("!H", packet, 2)[0]]
        pseudo = packet[12:20] + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp))
        if checksum(pseudo + tcp) != 0:
            raise AssertionError("a segment came with a wrong checksum")
        sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", tcp)
        offset = (offset >> 4) * 4
        self.arrived.append(Segment(sport, dport, seq, ack, flags & 63, window, parse_options(tcp[20:offset]),
                                    tcp[offset:], time.monotonic()))

    def send(self, sport, dport, seq, ack, flags, payload=b"", options=b"", window=65535, offset=None,
             damage=0):
        """One segment. `offset` in words and `damage` to the checksum where the header shall be wrong."""
        options += bytes(-len(options) % 4)
        words = 5 + len(options) // 4 if offset is None else offset
        tcp = struct.pack("!HHIIBBHHH", sport, dport, seq % MOD, ack % MOD, words << 4, flags, window, 0, 0)
        tcp += options + payload
        pseudo = self.address + self.server + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp) ^ damage) + tcp[18:]
        self.send_ip(tcp)

    def send_ip(self, tcp):
        self.identification = (self.identification + 1) & 0xffff
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), self.identification, 0, 64,
                           socket.IPPROTO_TCP, 0) + self.address + self.server
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        self.socket.send(self.server_mac + self.mac + struct.pack("!H", ETH_IP) + head + tcp)

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

"""IPv4, IPv6, ICMP, ARP and NDP by hand: what a raw peer needs around its TCP segments."""

import dataclasses
import socket
import struct

ETH_IP4, ETH_ARP, ETH_IP6 = 0x0800, 0x0806, 0x86dd
ICMP, TCP, ICMP6 = 1, 6, 58
UNREACHABLE, TOO_BIG = "unreachable", "too big"
ND_SOLICIT, ND_ADVERT = 135, 136


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    """An address in octets; how many tells its family."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def pseudo(src, dst, protocol, length):
    if len(src) == 4:
        return src + dst + struct.pack("!HH", protocol, length)
    return src + dst + struct.pack("!II", length, protocol)


def ether_type(packet):
    return ETH_IP4 if packet[0] >> 4 == 4 else ETH_IP6


def ip4(src, dst, protocol, payload, options=b"", identification=1, fragment=0x4000, ttl=64, damage=0,
        total=None):
    """`fragment`: flags and offset; `damage` to the checksum; `total` where the length shall be wrong."""
    words = 5 + len(options) // 4
    length = words * 4 + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, length, identification, fragment, ttl, protocol, 0)
    head += src + dst + options
    return head[:10] + struct.pack("!H", checksum(head) ^ damage) + head[12:] + payload


def ip6(src, dst, protocol, payload, extensions=(), ttl=64, total=None):
    """`extensions`: (number, octets less the first) in order."""
    for number, octets in reversed(extensions):
        payload = bytes((protocol,)) + octets + payload
        protocol = number
    length = len(payload) if total is None else total
    return struct.pack("!IHBB", 6 << 28, length, protocol, ttl) + src + dst + payload


def ip_packet(src, dst, protocol, payload, **kw):
    return (ip4 if len(src) == 4 else ip6)(src, dst, protocol, payload, **kw)


def with_checksum(src, dst, protocol, message, at):
    """The message with its checksum, over a pseudo-header but for ICMP, filled in."""
    over = b"" if protocol == ICMP else pseudo(src, dst, protocol, len(message))
    return message[:at] + struct.pack("!H", checksum(over + message)) + message[at + 2:]


def icmp_error(src, dst, quoted, kind, mtu=0, code=None):
    """An error about the packet `quoted`: TOO_BIG, or UNREACHABLE with the code (its port by default)."""
    if len(src) == 4:
        code = 4 if kind == TOO_BIG else 3 if code is None else code
        message = struct.pack("!BBHHH", 3, code, 0, 0, mtu) + quoted[:28]
        return ip4(src, dst, ICMP, with_checksum(src, dst, ICMP, message, 2))
    head = (2, 0) if kind == TOO_BIG else (1, 4 if code is None else code)
    message = struct.pack("!BBHI", *head, 0, mtu) + quoted[:1200]
    return ip6(src, dst, ICMP6, with_checksum(src, dst, ICMP6, message, 2))


def arp(operation, mac, address, target_mac, target):
    return struct.pack("!HHBBH", 1, ETH_IP4, 6, 4, operation) + mac + address + target_mac + target


def neighbour(kind, mac, src, dst, target):
    """A neighbour solicitation or advertisement with our link-layer address."""
    flags, option = (0, 1) if kind == ND_SOLICIT else (0x60000000, 2)
    message = struct.pack("!BBHI", kind, 0, 0, flags) + target + bytes((option, 1)) + mac
    return ip6(src, dst, ICMP6, with_checksum(src, dst, ICMP6, message, 2), ttl=255)


def solicited_node(address):
    """The group that is asked for an address, and its MAC."""
    return packed("ff02::1:ff00:0")[:13] + address[13:], b"\x33\x33\xff" + address[13:]


@dataclasses.dataclass
class Packet:
    """An IP packet taken apart, extension headers and options skipped."""

    src: bytes
    dst: bytes
    protocol: int
    payload: bytes


def parse(packet):
    if packet[0] >> 4 == 4:
        header = (packet[0] & 15) * 4
        return Packet(packet[12:16], packet[16:20], packet[9],
                      packet[header:struct.unpack_from("!H", packet, 2)[0]])
    length = struct.unpack_from("!H", packet, 4)[0]
    return Packet(packet[8:24], packet[24:40], packet[6], packet[40:40 + length])

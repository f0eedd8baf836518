#!/usr/bin/python3
"""Our TCP and the kernel's at the two ends of a wire, each opening, sending and ending in turn.

usage: tcp_peers.py [--all | --device D [--family 4|6] [--loss PERCENT]] [--octets N]

Without options on tap, and on af_packet with IPv6 while packets are lost; --all: every device with both
families, with and without loss.
"""

import argparse
import contextlib
import errno
import os
import random
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import netns, tap, tcp_server  # noqa: E402
from labkit.proc import run  # noqa: E402
from labkit.tcp_server import DEVICES, NETS, Refused  # noqa: E402

LIMIT_S = 3600
PATIENCE_S = 120
PORT, KERNEL_PORT, CLOSED_PORT = 25, 2525, 9
KEEPALIVE_S = 60
QUICK = (("tap", 4, 0), ("af_packet", 6, 2))
EVERY = tuple((device, family, loss) for device in DEVICES for family in NETS for loss in (0, 1, 5))


class Wire:
    """Our server, and kernel sockets in the namespace at the other end."""

    def __init__(self, device, family, loss):
        self.net = NETS[family]
        self.server = tcp_server.Ours("--keepalive", str(KEEPALIVE_S), device=device, net=self.net)
        try:
            self.address_kernel()
            if loss:
                self.lose(loss)
            self.server.listen(PORT)
            self.listener = self.socket()
            self.listener.bind((self.net.peer, KERNEL_PORT))
            self.listener.listen(16)
        except BaseException:
            self.server.stop()
            raise

    def address_kernel(self):
        ns, device = self.server.ns, self.server.device
        v6 = self.net.family == socket.AF_INET6
        if v6:
            with netns.entered(ns), open(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6", "w",
                                         encoding="ascii") as f:
                f.write("0\n")
        run("ip", "-n", ns, "addr", "add", f"{self.net.peer}/{self.net.length}", "dev", device,
            *(("nodad",) if v6 else ()))

    def lose(self, percent):
        """In both directions, of packets as they are on the wire."""
        ns, device = self.server.ns, self.server.device
        run("ip", "-n", ns, "link", "set", device, "gso_max_segs", "1")
        rule = f"numgen random mod 1000 < {percent * 10:.0f} counter drop"
        run("ip", "netns", "exec", ns, "nft", f"""table netdev lossy {{
            chain in {{ type filter hook ingress device "{device}" priority 0; {rule}; }}
            chain out {{ type filter hook egress device "{device}" priority 0; {rule}; }}
        }}""")

    def close(self):
        self.listener.close()
        return self.server.stop()

    def socket(self):
        with netns.entered(self.server.ns):
            sock = socket.socket(self.net.family, socket.SOCK_STREAM)
        sock.settimeout(PATIENCE_S)
        return sock

    def pair(self, ours_opens, **options):
        """A connection: the kernel's socket, and the number that our server knows it by."""
        if ours_opens:
            number = self.server.connect(self.net.peer, KERNEL_PORT)
            sock = self.listener.accept()[0]
            sock.settimeout(PATIENCE_S)
            self.server.established(number)
            return sock, number
        sock = self.socket()
        for option, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
        sock.connect((self.net.server, PORT))
        return sock, self.server.accept(PATIENCE_S * 1000)


@contextlib.contextmanager
def meanwhile(fn, *args):
    """Another thread at the kernel's end; what it returned is in the list."""
    found = []
    thread = threading.Thread(target=lambda: found.append(fn(*args)))
    thread.start()
    try:
        yield found
    finally:
        thread.join(PATIENCE_S)


def read_all(sock):
    data = b""
    with contextlib.suppress(ConnectionError):
        while more := sock.recv(65536):
            data += more
    return data


def say(sock, octets):
    sock.sendall(octets)
    sock.shutdown(socket.SHUT_WR)


def ours_reads_all(w, number):
    data = b""
    while more := w.server.recv(number, 65536, PATIENCE_S * 1000):
        data += more
    return data


def ours_says(w, number, octets):
    at = 0
    deadline = time.monotonic() + PATIENCE_S
    while at < len(octets):
        taken = w.server.send(number, octets[at:at + 60000])
        at += taken
        if taken == 0:
            assert time.monotonic() < deadline, "the peer takes no more"
            time.sleep(0.005)
    w.server.shutdown(number)


# --- cases: true where all is as it should be

def bulk_in(w, octets, ours_opens):
    sock, number = w.pair(ours_opens)
    with meanwhile(say, sock, octets):
        data = ours_reads_all(w, number)
    w.server.close(number)
    end = read_all(sock)
    return data == octets and end == b""


def bulk_out(w, octets, ours_opens):
    sock, number = w.pair(ours_opens)
    with meanwhile(read_all, sock) as found:
        ours_says(w, number, octets)
    sock.close()
    end = ours_reads_all(w, number)
    w.server.close(number)
    return found == [octets] and end == b""


def both_ways_at_once(w, octets, ours_opens):
    sock, number = w.pair(ours_opens)
    with meanwhile(read_all, sock) as found, meanwhile(say, sock, octets):
        ours_says(w, number, octets)
        data = ours_reads_all(w, number)
    w.server.close(number)
    return data == octets and found == [octets]


def tiny_replies(w, octets, ours_opens):
    sock, number = w.pair(ours_opens)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    good = True
    for i in range(100):
        line = octets[i:i + 1 + i % 50]
        sock.sendall(line)
        data = b""
        while len(data) < len(line):
            data += w.server.recv(number, 100, PATIENCE_S * 1000)
        w.server.send(number, data[::-1])
        back = b""
        while len(back) < len(line):
            back += sock.recv(100)
        good = good and back == line[::-1]
    sock.close()
    w.server.close(number)
    return good


def half_close(w, octets, ours_opens):
    """The kernel says all it has to say first, and is answered at length."""
    sock, number = w.pair(ours_opens)
    say(sock, b"GET")
    request = ours_reads_all(w, number)
    with meanwhile(read_all, sock) as found:
        ours_says(w, number, octets)
    w.server.close(number)
    return request == b"GET" and found == [octets]


def shut_window_of_ours_opens_again(w, octets, ours_opens):
    """Nothing is read until the kernel cannot send any more."""
    sock, number = w.pair(ours_opens)
    w.server.call("window", number, 20000)
    with meanwhile(say, sock, octets):
        unread, before = 0, -1
        deadline = time.monotonic() + PATIENCE_S
        while (unread != before or unread == 0) and time.monotonic() < deadline:
            before = unread
            time.sleep(0.3)
            unread = int(w.server.call("state", number).split()[2])
        w.server.call("window", number, 262144)
        data = ours_reads_all(w, number)
    w.server.close(number)
    return 0 < unread < len(octets) and data == octets


def shut_window_of_the_kernel_opens_again(w, octets, ours_opens):
    """It takes what it has room for; we ask now and then whether there is more."""
    sock, number = w.pair(ours_opens)
    before = w.server.counter("tcp_window_probes")
    at, deadline = 0, time.monotonic() + PATIENCE_S
    while w.server.counter("tcp_window_probes") == before and time.monotonic() < deadline:
        at += w.server.send(number, octets[at:at + 60000]) if at < len(octets) else 0
        time.sleep(0.01)
    probed = w.server.counter("tcp_window_probes") > before
    with meanwhile(read_all, sock) as found:
        ours_says(w, number, octets[at:])
    w.server.close(number)
    return probed and found == [octets]


def window_taken_back(w, octets, ours_opens):
    """What was offered is still taken; less is offered from then on."""
    sock, number = w.pair(ours_opens)
    half = len(octets) // 2
    with meanwhile(say, sock, octets):
        data = b""
        while len(data) < half:
            data += w.server.recv(number, 65536, PATIENCE_S * 1000)
        w.server.call("window", number, 3000)
        while len(data) < half + 20000:
            data += w.server.recv(number, 65536, PATIENCE_S * 1000)
        w.server.call("window", number, 262144)
        data += ours_reads_all(w, number)
    w.server.close(number)
    return data == octets


def keepalive_is_answered_by_either(w, octets, ours_opens):
    sock, number = w.pair(ours_opens)
    before = w.server.counter("tcp_keepalives")
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 9)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    time.sleep(2.5)  # two probes of the kernel's
    for _ in range(8):
        w.server.call("clock", "+10000000")
        time.sleep(0.05)
    probed = w.server.counter("tcp_keepalives") > before
    sock.sendall(octets[:10])
    data = w.server.recv(number, 100)
    sock.close()
    w.server.close(number)
    return probed and data == octets[:10]


def abort_by_ours(w, octets, ours_opens):
    sock, number = w.pair(ours_opens)
    w.server.send(number, octets[:1000])
    w.server.abort(number)
    try:
        while sock.recv(65536):
            pass
        return False
    except ConnectionResetError:
        return True


def abort_by_the_kernel(w, octets, ours_opens):
    sock, number = w.pair(ours_opens)
    sock.sendall(octets[:10])
    w.server.recv(number, 100)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    try:
        w.server.recv(number, 100)
    except Refused as refused:
        return str(refused) == "ECONNRESET"
    finally:
        w.server.close(number)
    return False


def refusal(w, _octets, ours_opens):
    if ours_opens:
        number = w.server.connect(w.net.peer, CLOSED_PORT)
        try:
            w.server.established(number)
        except Refused as refused:
            return str(refused) == "ECONNREFUSED"
        finally:
            w.server.close(number)
        return False
    with w.socket() as sock:
        return sock.connect_ex((w.net.server, CLOSED_PORT)) == errno.ECONNREFUSED


CASES = (bulk_in, bulk_out, both_ways_at_once, tiny_replies, half_close, shut_window_of_ours_opens_again,
         shut_window_of_the_kernel_opens_again, window_taken_back)
# A lost RST leaves the other end to find out by itself, in its own time.
WITHOUT_LOSS = (abort_by_ours, abort_by_the_kernel, refusal)


def run_wire(t, device, family, loss, octets):
    w = Wire(device, family, loss)
    try:
        for case in (*CASES, keepalive_is_answered_by_either, *(() if loss else WITHOUT_LOSS)):
            for ours_opens in (False, True) if case is not keepalive_is_answered_by_either else (False,):
                where = f"{device}, IPv{family}, {loss} % lost, {'we open' if ours_opens else 'the kernel opens'}"
                try:
                    found = case(w, octets, ours_opens)
                except (OSError, Refused, AssertionError) as error:
                    found = repr(error)
                t.equal(found, True, f"{where}: {case.__name__}")
    finally:
        code = w.close()
    t.equal(code, 0, f"{device}, IPv{family}, {loss} % lost: the server ends in good order")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--device", choices=DEVICES)
    parser.add_argument("--family", type=int, choices=NETS, default=4)
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--octets", type=int, default=400000)
    args = parser.parse_args()
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        tap.skip_all("needs root and /dev/net/tun")
    wires = EVERY if args.all else ((args.device, args.family, args.loss),) if args.device else QUICK
    seed = random.SystemRandom().randrange(2**32)
    with tap.Tests("tcp_peers", limit_s=LIMIT_S) as t:
        t.note(f"seed {seed}")
        octets = random.Random(seed).randbytes(args.octets)
        for wire in wires:
            run_wire(t, *wire, octets)


if __name__ == "__main__":
    main()

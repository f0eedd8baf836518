#!/usr/bin/env python3
"""The dataplane against the kernel: lcore_echo on a device in a network namespace, and the kernel's
ping and TCP on the other end of the wire.

usage: lcore_test.py LCORE_ECHO tap|af_packet|af_xdp|af_xdp-shared LCORES [CASE...]
"""
import ctypes
import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time

SKIP = 77
OUR4, OUR6 = "10.78.0.2", "fd78::2"
PORT = 7
SEED = int(os.environ.get("SEED", "1"))
CLONE_NEWNET = 0x40000000


def run(*command, check=True):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stdout.strip()}")
    return result


def enter(namespace):
    """Sockets that this thread opens from now on live in the namespace."""
    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def nodad(address):
    return ("nodad",) if ":" in address else ()


class Wire:
    """Client namespace, device and lcore_echo; takes everything away at the end."""

    def __init__(self, program, kind, lcores):
        self.program, self.kind, self.lcores, self.echo = program, kind, lcores, None
        self.client = f"pgc{os.getpid()}"
        self.gateway = f"pgg{os.getpid()}" if kind != "tap" else self.client
        self.interface = "pgtap" if kind == "tap" else "pgclient"

    def __enter__(self):
        try:
            for namespace in {self.client, self.gateway}:
                run("ip", "netns", "add", namespace)
            if self.kind != "tap":
                self.make_veth()
            self.start_echo()
            if self.kind == "tap":
                self.give_addresses()
            return self
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def make_veth(self):
        queues = ("numrxqueues", str(self.lcores), "numtxqueues", str(self.lcores))
        run("ip", "link", "add", "pggw", "netns", self.gateway, *queues, "type", "veth", "peer", "name",
            self.interface, "netns", self.client, *queues)
        if self.kind == "af_xdp-shared":
            for address in (f"{OUR4}/24", f"{OUR6}/64"):
                run("ip", "-n", self.gateway, "addr", "add", address, "dev", "pggw", *nodad(address))
        else:
            self.inside(self.gateway, "sysctl", "-qw", "net.ipv6.conf.pggw.disable_ipv6=1")
        # The kernel leaves checksums to a veth peer that never fills them.
        self.inside(self.client, "ethtool", "-K", self.interface, "tx", "off")
        # Else two CPUs deliver one flow's packets out of order.
        self.inside(self.gateway, "sh", "-c", "echo 1 >/sys/class/net/pggw/queues/rx-0/rps_cpus")
        run("ip", "-n", self.gateway, "link", "set", "pggw", "up")
        self.give_addresses()

    def give_addresses(self):
        run("ip", "-n", self.client, "link", "set", self.interface, "up")
        run("ip", "-n", self.client, "addr", "add", "10.78.0.1/24", "dev", self.interface)
        run("ip", "-n", self.client, "addr", "add", "fd78::1/64", "dev", self.interface, "nodad")

    def inside(self, namespace, *command, check=True):
        return run("ip", "netns", "exec", namespace, *command, check=check)

    def device(self):
        return f"tap:{self.interface}" if self.kind == "tap" else f"{self.kind}:pggw"

    def start_echo(self):
        self.echo = subprocess.Popen(
            ["ip", "netns", "exec", self.gateway, self.program, "--device", self.device(),
             "--address", f"{OUR4}/24", "--address", f"{OUR6}/64", "--port", str(PORT),
             "--lcores", str(self.lcores)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.echo.stdout.readline()
        if not line.startswith("ready"):
            raise RuntimeError(f"lcore_echo did not start: {line!r}")

    def stop_echo(self):
        """Ends it in good order; returns its counters."""
        echo, self.echo = self.echo, None
        output, _ = echo.communicate(timeout=60)
        if echo.returncode != 0:
            raise RuntimeError(f"lcore_echo ended with {echo.returncode}")
        return {name: int(value) for name, value in (line.split() for line in output.splitlines())}

    def __exit__(self, *_):
        if self.echo:
            self.echo.kill()
            self.echo.communicate()
        for namespace in {self.client, self.gateway}:
            run("ip", "netns", "del", namespace, check=False)


class Stream:
    """Octets that can be made again from the seed."""

    def __init__(self, total):
        self.block = random.Random(SEED).randbytes(1 << 20)
        self.total = total

    def pieces(self):
        left = self.total
        while left:
            piece = self.block[:min(left, len(self.block))]
            yield piece
            left -= len(piece)
            self.block = self.block[1:] + self.block[:1]


def connect(address):
    return socket.create_connection((address, PORT), timeout=120)


def echo_bytes(address, total, slow_reader=False):
    """Sends and receives at once; fails unless what comes back is what was sent."""
    sent, received = hashlib.sha256(), hashlib.sha256()
    with connect(address) as sock:

        def send():
            for piece in Stream(total).pieces():
                sent.update(piece)
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        count = 0
        if slow_reader:
            time.sleep(2)  # both windows close and open again
        while data := sock.recv(1 << 18):
            received.update(data)
            count += len(data)
        sender.join()
    assert count == total, f"{count} of {total} octets came back"
    assert sent.digest() == received.digest(), "what came back differs"


def answers_ping(wire):
    wire.inside(wire.client, "ping", "-c", "3", "-i", "0.2", "-W", "5", OUR4)


def answers_ping6(wire):
    wire.inside(wire.client, "ping", "-6", "-c", "3", "-i", "0.2", "-W", "5", OUR6)


def answers_a_flood_of_pings(wire):
    result = wire.inside(wire.client, "ping", "-f", "-c", "300", "-s", "1400", OUR4)
    assert " 0% packet loss" in result.stdout, result.stdout


def echoes_50_megabytes(wire):
    start = time.monotonic()
    echo_bytes(OUR4, 50 << 20)
    print(f"  {50 * 8.39 / (time.monotonic() - start) / 1000:.2f} Gbit/s each way")


def echoes_50_megabytes_over_ipv6(_wire):
    echo_bytes(OUR6, 50 << 20)


def echoes_after_half_close(_wire):
    with connect(OUR4) as sock:
        sock.sendall(b"first")
        sock.shutdown(socket.SHUT_WR)
        data = b""
        while more := sock.recv(100):
            data += more
        assert data == b"first", data


def opens_and_closes_many_connections(_wire):
    for i in range(300):
        with connect(OUR6 if i % 2 else OUR4) as sock:
            text = b"connection %d" % i
            sock.sendall(text)
            assert sock.recv(100) == text


def serves_connections_side_by_side(_wire):
    failures = []

    def one(address):
        try:
            echo_bytes(address, 1 << 20)
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=one, args=((OUR4, OUR6)[i % 2],)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def survives_a_reader_that_stalls(_wire):
    echo_bytes(OUR4, 16 << 20, slow_reader=True)


def refuses_a_port_that_nobody_serves(_wire):
    for address in (OUR4, OUR6):
        try:
            socket.create_connection((address, 9), timeout=10).close()
        except ConnectionRefusedError:
            continue
        raise AssertionError("connected")


def drop_at_random(wire, percent):
    for chain in ("input", "output"):
        wire.inside(wire.client, "nft", "add", "table", "inet", "lossy")
        wire.inside(wire.client, "nft", "add", "chain", "inet", "lossy", chain,
                    f"{{ type filter hook {chain} priority 0; }}")
        wire.inside(wire.client, "nft", "add", "rule", "inet", "lossy", chain,
                    "meta", "l4proto", "tcp", "numgen", "random", "mod", "100", "<", str(percent),
                    "drop")


def echoes_while_5_percent_are_lost_each_way(wire):
    if not shutil.which("nft"):
        print("  skipped: no nft")
        return
    drop_at_random(wire, 5)
    try:
        start = time.monotonic()
        echo_bytes(OUR4, 2 << 20)
        echo_bytes(OUR6, 2 << 20)
        print(f"  4 MiB in {time.monotonic() - start:.1f} s")
    finally:
        wire.inside(wire.client, "nft", "delete", "table", "inet", "lossy")


CASES = [
    answers_ping,
    answers_ping6,
    answers_a_flood_of_pings,
    echoes_after_half_close,
    refuses_a_port_that_nobody_serves,
    opens_and_closes_many_connections,
    echoes_50_megabytes,
    echoes_50_megabytes_over_ipv6,
    serves_connections_side_by_side,
    survives_a_reader_that_stalls,
    echoes_while_5_percent_are_lost_each_way,
]

# Nothing in these cases may be dropped for one of these reasons.
NEVER = ["net_ip_malformed", "net_ip_truncated", "net_ip_checksum", "net_tcp_checksum",
         "net_tx_invalid", "net_tx_full", "net_no_route", "net_no_buffer", "net_news_full",
         "lcore_ring_full", "lcore_news_lost", "port_rx_over_mtu"]


def missing(kind):
    if os.geteuid() != 0:
        return "needs root"
    if kind == "tap" and not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    for tool in ("ip", "ping", "sysctl") + (() if kind == "tap" else ("ethtool",)):
        if not shutil.which(tool):
            return f"no {tool}"
    return None


def main():
    program, kind, lcores = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    wanted = sys.argv[4:]
    reason = missing(kind)
    if reason:
        print(f"skipped: {reason}")
        return SKIP
    failed = 0
    with Wire(program, kind, lcores) as wire:
        enter(wire.client)
        for case in CASES:
            if wanted and case.__name__ not in wanted:
                continue
            start = time.monotonic()
            try:
                case(wire)
                verdict = "ok"
            except (AssertionError, OSError, RuntimeError) as error:
                verdict = f"FAILED: {error!r}"
                failed += 1
            print(f"{kind}/{case.__name__}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
        counters = wire.stop_echo()
        for name in NEVER:
            if counters.get(name):
                print(f"{kind}: {name} is {counters[name]}, should be 0")
                failed += 1
        if lcores > 1 and not wanted and not counters.get("lcore_passed"):
            print(f"{kind}: no packet was passed between lcores")
            failed += 1
        if failed or os.environ.get("VERBOSE"):
            print(" ".join(f"{name}={value}" for name, value in counters.items()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

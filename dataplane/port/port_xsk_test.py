#!/usr/bin/env python3
"""af_xdp-shared beside the kernel on one interface: what is ours comes to lcore_echo, what is the kernel's
stays there; what a kill leaves behind; what is refused, and in which words.

usage: port_xsk_test.py LCORE_ECHO XDP_OBJECT [CASE...]
"""
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

SKIP = 77
PEER4, PEER6 = "10.79.0.1", "fd79::1"
OUR4, OUR6 = "10.79.0.2", "fd79::2"
PORT = 25          # ours
KERNELS_PORT = 26  # the kernel's, on the same addresses
CLONE_NEWNET = 0x40000000
LIMIT_S = 20       # how long is waited for what must come; never how long it may take


class Refused(Exception):
    """lcore_echo did not start; says why."""


def run(*command, check=True):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stdout.strip()}")
    return result


@contextlib.contextmanager
def inside(namespace):
    """Sockets that this thread opens in the block live in the namespace."""
    with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{namespace}") as there:
        ctypes.CDLL(None).setns(there.fileno(), CLONE_NEWNET)
        try:
            yield
        finally:
            ctypes.CDLL(None).setns(here.fileno(), CLONE_NEWNET)


def wait_until(true, what):
    deadline = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline, f"not so after {LIMIT_S} s: {what}"
        time.sleep(0.01)


class KernelEcho:
    """An echo server on the kernel's TCP in a namespace."""

    def __init__(self, namespace, port):
        self.listeners = []
        with inside(namespace):
            for family, address in ((socket.AF_INET, OUR4), (socket.AF_INET6, OUR6)):
                listener = socket.socket(family)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, port))
                listener.listen(64)
                self.listeners.append(listener)
        self.threads = [threading.Thread(target=self.serve, args=(one,)) for one in self.listeners]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def serve(listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                while data := peer.recv(4096):
                    peer.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self.threads:
            thread.join()


class Wire:
    """Two namespaces and a veth between them, whose one end has the addresses and is shared."""

    def __init__(self, program, queues=1):
        self.program, self.queues, self.echo, self.counters = program, queues, None, {}
        self.client, self.gateway = f"pxc{os.getpid()}", f"pxg{os.getpid()}"

    def __enter__(self):
        try:
            self.make()
            return self
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def make(self):
        queues = ("numrxqueues", str(self.queues), "numtxqueues", str(self.queues))
        for namespace in (self.client, self.gateway):
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "link", "add", "pxgw", "netns", self.gateway, *queues, "type", "veth",
            "peer", "name", "pxpeer", "netns", self.client, *queues)
        for namespace, link, v4, v6 in ((self.client, "pxpeer", PEER4, PEER6), (self.gateway, "pxgw", OUR4, OUR6)):
            run("ip", "-n", namespace, "addr", "add", f"{v4}/24", "dev", link)
            run("ip", "-n", namespace, "addr", "add", f"{v6}/64", "dev", link, "nodad")
            run("ip", "-n", namespace, "link", "set", link, "up")
        # The kernel leaves checksums to a veth peer that never fills them.
        self.at(self.client, "ethtool", "-K", "pxpeer", "tx", "off")

    def at(self, namespace, *command, check=True):
        return run("ip", "netns", "exec", namespace, *command, check=check)

    def link(self, *words):
        """ip link in the gateway's namespace."""
        return run("ip", "-n", self.gateway, "link", *words)

    def start(self, *options, lcores=1, interface="pxgw", addresses=(f"{OUR4}/24", f"{OUR6}/64"), before=()):
        """Starts lcore_echo; Refused with its words if it does not get ready."""
        echo = subprocess.Popen(
            ["ip", "netns", "exec", self.gateway, *before, self.program, "--device",
             f"af_xdp-shared:{interface}", "--port", str(PORT), "--lcores", str(lcores), *options,
             *(word for address in addresses for word in ("--address", address))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if not echo.stdout.readline().startswith("ready"):
            raise Refused(echo.communicate(timeout=60)[1])
        self.echo = echo

    def stop(self):
        """Ends it in good order; returns its counters."""
        echo, self.echo = self.echo, None
        output, errors = echo.communicate(timeout=60)
        if echo.returncode != 0:
            raise RuntimeError(f"lcore_echo ended with {echo.returncode}: {errors}")
        return {name: int(value) for name, value in (line.split() for line in output.splitlines())}

    def kill(self):
        echo, self.echo = self.echo, None
        echo.send_signal(signal.SIGKILL)
        echo.communicate(timeout=60)

    def has_program(self):
        return "xdp" in self.link("show", "dev", "pxgw").stdout

    def connect(self, address, port=PORT, timeout=LIMIT_S):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        sock.settimeout(timeout)
        try:
            sock.connect((address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def echoes(self, count, port=PORT):
        """Connects `count` times, in turn over IPv4 and IPv6; each says something and hears it back."""
        took = []
        with inside(self.client):
            for i in range(count):
                start = time.monotonic()
                with self.connect((OUR4, OUR6)[i % 2], port) as sock:
                    text = b"%d on %d" % (i, port)
                    sock.sendall(text)
                    assert sock.recv(100) == text
                took.append(time.monotonic() - start)
        took.sort()
        print(f"  {count} to port {port}: half within {took[count // 2] * 1e6:.0f} us", flush=True)

    def refused_by_kernel(self):
        try:
            with inside(self.client):
                self.connect(OUR4).close()
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            pass
        return False

    def __exit__(self, *_):
        if self.echo:
            self.echo.kill()
            self.echo.communicate()
        for namespace in (self.client, self.gateway):
            run("ip", "netns", "del", namespace, check=False)


# --- cases -----------------------------------------------------------------------------------------


def serves_its_port_and_leaves_the_rest(program, _xdp, queues=1, lcores=1):
    with Wire(program, queues) as wire, KernelEcho(wire.gateway, KERNELS_PORT):
        wire.start(lcores=lcores)
        pings = subprocess.Popen(["ip", "netns", "exec", wire.client, "ping", "-f", "-c", "500", OUR4],
                                 stdout=subprocess.PIPE, text=True)
        kernels = threading.Thread(target=wire.echoes, args=(400, KERNELS_PORT))
        kernels.start()
        wire.echoes(400)
        kernels.join()
        assert " 0% packet loss" in pings.communicate()[0]
        wire.at(wire.client, "ping", "-6", "-c", "2", "-i", "0.2", "-W", "5", OUR6)
        counters = wire.stop()
        assert counters["tcp_opened_passive"] == 400, counters
        for name in ("net_tcp_checksum", "port_xdp_unserved", "port_rx_missed", "port_rx_no_buffer", "port_tx_errors",
                     "lcore_ring_full", "net_eth_type", "net_echo_replies"):
            assert not counters.get(name), f"{name} is {counters[name]}"
        assert not wire.has_program(), "a program stays behind"
        assert wire.refused_by_kernel(), "the kernel does not answer for the port again"


def serves_two_queues_with_two_lcores(program, xdp):
    serves_its_port_and_leaves_the_rest(program, xdp, queues=2, lcores=2)


def serves_three_queues_with_two_lcores(program, xdp):
    serves_its_port_and_leaves_the_rest(program, xdp, queues=3, lcores=2)


def serves_eight_queues_with_one_lcore(program, xdp):
    serves_its_port_and_leaves_the_rest(program, xdp, queues=8, lcores=1)


def works_when_all_privileges_are_dropped(program, _xdp):
    with Wire(program, 2) as wire:
        wire.start("--drop-privileges", lcores=2)
        with open(f"/proc/{wire.echo.pid}/status") as file:
            status = dict(line.split(":", 1) for line in file)
        assert status["Uid"].split() == ["65534"] * 4 and int(status["CapEff"], 16) == 0, status
        wire.echoes(100)
        counters = wire.stop()
        assert counters["port_rx_packets"] > 0 and "port_rx_missed" in counters
        assert not wire.has_program(), "a program stays behind"


def starts_with_four_capabilities(program, _xdp):
    if not shutil.which("setpriv"):
        print("  skipped: no setpriv")
        return
    wanted = "net_raw,net_admin,bpf,ipc_lock"
    with Wire(program) as wire:
        wire.start(before=("setpriv", "--bounding-set", "-all,+" + wanted.replace(",", ",+")))
        wire.echoes(10)
        wire.stop()


def leaves_the_kernel_as_it_was_when_killed(program, _xdp):
    with Wire(program) as wire:
        wire.start()
        wire.echoes(20)
        wire.kill()
        wait_until(lambda: not wire.has_program(), "the program is gone")
        assert wire.refused_by_kernel(), "the kernel does not answer"
        with KernelEcho(wire.gateway, PORT):
            wire.echoes(20)
        for _ in range(10):
            wire.start()
            wire.echoes(2)
            wire.kill()
        wire.start()
        wire.echoes(20)
        wire.stop()


def a_firewall_rule_covers_the_gap_and_nothing_else(program, _xdp):
    if not shutil.which("nft"):
        print("  skipped: no nft")
        return
    with Wire(program) as wire:
        wire.at(wire.gateway, "nft", "add table inet gap; add chain inet gap input { type filter hook input priority 0; };"
                f"add rule inet gap input iifname pxgw tcp dport {PORT} drop")
        wire.start()
        wire.echoes(20)
        wire.kill()
        wait_until(lambda: not wire.has_program(), "the program is gone")
        try:
            with inside(wire.client):
                wire.connect(OUR4, timeout=0.5).close()
            raise AssertionError("somebody answered")
        except TimeoutError:
            pass  # no RST: a sender that tries now tries again


def drops_first_fragments_and_takes_icmp_errors(program, _xdp):
    def ip4(protocol, src, dst, payload, fragment=0):
        return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, fragment, 64, protocol, 0,
                           socket.inet_aton(src), socket.inet_aton(dst)) + payload

    def with_checksum(icmp):
        total = sum(struct.unpack(f">{len(icmp) // 2}H", icmp))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return icmp[:2] + struct.pack(">H", ~total & 0xffff) + icmp[4:]

    segment = struct.pack(">HHIIHHHH", PORT, 40000, 1, 1, 0x5010, 100, 0, 0)
    about_ours = with_checksum(struct.pack(">BBHI", 3, 1, 0, 0) + ip4(6, OUR4, PEER4, segment))
    to_ours = struct.pack(">HHIIHHHH", 40000, PORT, 1, 1, 0x5010, 100, 0, 0)
    with Wire(program) as wire:
        wire.start()
        with inside(wire.client), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(ip4(6, PEER4, OUR4, to_ours + bytes(4), fragment=0x2000), (OUR4, 0))
            for _ in range(2):
                raw.sendto(ip4(1, PEER4, OUR4, about_ours), (OUR4, 0))
        wire.echoes(2)
        counters = wire.stop()
        assert counters["port_xdp_fragments"] == 1, counters
        assert counters["port_xdp_icmp"] == counters["net_icmp_errors"] == 2, counters


def falls_back_to_generic_xdp_where_the_driver_has_none(program, _xdp):
    with Wire(program) as wire:
        made = run("ip", "-n", wire.gateway, "link", "add", "pxmac", "link", "pxgw", "type", "macvlan",
                   "mode", "bridge", check=False)
        if made.returncode != 0:
            print("  skipped: the kernel makes no macvlan")
            return
        wire.link("set", "pxmac", "up")
        # Else both interfaces answer for the address.
        wire.at(wire.gateway, "sysctl", "-qw", "net.ipv4.conf.pxgw.arp_ignore=1")
        run("ip", "-n", wire.gateway, "addr", "flush", "dev", "pxgw")
        run("ip", "-n", wire.gateway, "addr", "add", f"{OUR4}/24", "dev", "pxmac")
        run("ip", "-n", wire.gateway, "addr", "add", f"{OUR6}/64", "dev", "pxmac", "nodad")
        wire.start(interface="pxmac")
        wire.echoes(20)
        assert wire.stop()["port_xdp_generic"] == 1


def refuses_in_clear_words(program, xdp):
    def refuses(*words, **how):
        try:
            wire.start(**how)
        except Refused as refusal:
            for word in words:
                assert word in str(refusal), f"{str(refusal)!r} does not say {word!r}"
            assert str(refusal).count("\n") == 1, f"more than a line: {str(refusal)!r}"
            print(f"  {str(refusal).strip()}")
            return
        wire.stop()
        raise AssertionError(f"started, though {words}")

    with Wire(program, 2) as wire:
        refuses("no such interface", interface="pxnone")
        refuses("no Ethernet interface", interface="lo")
        refuses("no address 10.79.0.9", "ip address add", addresses=(f"{OUR4}/24", "10.79.0.9/24"))
        refuses("receive queue", "has 2", "ethtool -L pxgw rx 3", lcores=3)
        for kind in ("vlan id 5", "bond"):
            if run("ip", "-n", wire.gateway, "link", "add", "link", "pxgw", "name", "pxother", "type", *kind.split(),
                   check=False).returncode == 0:
                refuses(kind.split()[0], interface="pxother")
                wire.link("del", "pxother")
        wire.link("add", "pxbr", "type", "bridge")
        wire.link("set", "pxgw", "master", "pxbr")
        refuses("port of a bridge")
        wire.link("set", "pxgw", "nomaster")
        wire.start()
        first, wire.echo = wire.echo, None
        refuses("another AF_XDP socket", "only once")
        wire.echo = first
        wire.echoes(4)
        wire.stop()
        for mode in ("xdpdrv", "xdpgeneric"):
            wire.link("set", "dev", "pxgw", mode, "obj", xdp, "sec", "xdp")
            refuses("another XDP program", "xdp off")
            wire.link("set", "dev", "pxgw", mode, "off")
        if shutil.which("setpriv"):
            refuses("start as root", before=("setpriv", "--bounding-set", "-all"))
        wire.link("set", "pxgw", "down")
        refuses("ip link set pxgw up")
    with Wire(program, 9) as wire:
        refuses("has 9", "at most 8", "ethtool -L pxgw rx 1")
        wire.at(wire.gateway, "ethtool", "-L", "pxgw", "rx", "1")
        refuses("too few receive queues")  # a veth's peer still sends by nine
    with Wire(program) as wire:
        for end, namespace in (("pxgw", wire.gateway), ("pxpeer", wire.client)):
            run("ip", "-n", namespace, "link", "set", end, "mtu", "9000")
        refuses("mtu 1500")


CASES = [
    serves_its_port_and_leaves_the_rest,
    serves_two_queues_with_two_lcores,
    serves_three_queues_with_two_lcores,
    serves_eight_queues_with_one_lcore,
    works_when_all_privileges_are_dropped,
    starts_with_four_capabilities,
    leaves_the_kernel_as_it_was_when_killed,
    a_firewall_rule_covers_the_gap_and_nothing_else,
    drops_first_fragments_and_takes_icmp_errors,
    falls_back_to_generic_xdp_where_the_driver_has_none,
    refuses_in_clear_words,
]


def missing():
    if os.geteuid() != 0:
        return "needs root"
    for tool in ("ip", "ping", "ethtool"):
        if not shutil.which(tool):
            return f"no {tool}"
    return None


def main():
    program, xdp = (os.path.abspath(path) for path in sys.argv[1:3])
    reason = missing()
    if reason:
        print(f"skipped: {reason}")
        return SKIP
    failed = 0
    for case in CASES:
        if sys.argv[3:] and case.__name__ not in sys.argv[3:]:
            continue
        start = time.monotonic()
        try:
            case(program, xdp)
            verdict = "ok"
        except (AssertionError, OSError, RuntimeError, Refused) as error:
            verdict = f"FAILED: {error!r}"
            failed += 1
        print(f"{case.__name__}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Two servers under the same commands (docs/tcp-server.md): ours, and the kernel's sockets."""

import dataclasses
import errno
import os
import select
import socket
import struct
import subprocess
import tempfile
import time

from . import gateway, netns
from .proc import LabError, run

PATIENCE_MS = 60000


@dataclasses.dataclass(frozen=True)
class Net:
    """A server and a peer on one link."""

    server: str
    length: int
    peer: str

    @property
    def family(self):
        return socket.AF_INET6 if ":" in self.server else socket.AF_INET


NETS = {4: Net("10.79.0.2", 24, "10.79.0.77"), 6: Net("fd79::2", 64, "fd79::77")}
DEVICES = ("tap", "af_packet", "af_xdp")
PEER_END, SERVER_END = "ptcp0", "ptcp1"


class Refused(Exception):
    """The server's `err NAME`."""


def silence(ns, device):
    """The kernel says nothing of its own on the device."""
    with netns.entered(ns), open(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6", "w", encoding="ascii") as f:
        f.write("1\n")


def join(server_ns, peer_ns):
    """A veth between two namespaces."""
    run("ip", "link", "add", SERVER_END, "netns", server_ns, "type", "veth", "peer", "name", PEER_END,
        "netns", peer_ns)
    for ns, device in ((server_ns, SERVER_END), (peer_ns, PEER_END)):
        silence(ns, device)
        run("ip", "netns", "exec", ns, "ethtool", "-K", device, "tx", "off", "gso", "off", "tso", "off")
        run("ip", "-n", ns, "link", "set", device, "up")


def steer(ns, device):
    """Without it packets of one flow are queued on several CPUs and arrive out of order."""
    run("ip", "netns", "exec", ns, "sh", "-c", f"echo 1 >/sys/class/net/{device}/queues/rx-0/rps_cpus")


class Ours:
    """build/tests/tcp-server on a device in a namespace of its own."""

    name = "ours"
    device = PEER_END

    def __init__(self, *options, device="tap", net=NETS[4]):
        self.net = net
        self.ns = f"ptcp{os.getpid()}-{id(self) & 0xffff:x}"
        self.host = self.ns if device == "tap" else f"{self.ns}h"
        self.dir = tempfile.mkdtemp(prefix="ptcp.")
        self.process = self.socket = self.file = None
        try:
            for ns in {self.ns, self.host}:
                netns.create(ns)
            if device != "tap":
                join(self.host, self.ns)
            if device == "af_packet":
                steer(self.host, SERVER_END)
            self.start(f"{device}:{PEER_END if device == 'tap' else SERVER_END}", options)
        except BaseException:
            self.stop()
            raise

    def start(self, device, options):
        path = f"{self.dir}/control"
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.host, os.path.join(gateway.build_dir(), "tests", "tcp-server"),
             "--device", device, "--control", path, "--address", f"{self.net.server}/{self.net.length}", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise LabError(f"tcp-server did not start: {line!r}", "see what it wrote above")
        # The peer is raw: nothing of the kernel's own shall be on the wire.
        silence(self.ns, self.device)
        run("ip", "-n", self.ns, "link", "set", self.device, "up")
        self.connect_control()

    def connect_control(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(f"{self.dir}/control")
        self.file = self.socket.makefile("r", encoding="ascii")

    def again(self):
        """As another client."""
        self.file.close()
        self.socket.close()
        self.connect_control()

    def many(self, lines):
        """Written at once; the first word of each reply."""
        self.socket.sendall(("\n".join(lines) + "\n").encode())
        return [self.file.readline().split()[0] for _ in lines]

    def stop(self):
        """The exit code of the server: 0, or it died."""
        code = None
        if not self.dir:
            return code
        for end in (self.file, self.socket):
            if end:
                end.close()
        if self.process:
            self.process.terminate()
            try:
                code = self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                code = self.process.wait()
            self.process.stdout.close()
        for ns in {self.ns, self.host}:
            netns.delete(ns)
        if os.path.exists(f"{self.dir}/control"):
            os.unlink(f"{self.dir}/control")
        os.rmdir(self.dir)
        self.dir = None
        return code

    def call(self, *words):
        self.socket.sendall((" ".join(str(word) for word in words) + "\n").encode())
        line = self.file.readline()
        if not line:
            raise LabError("tcp-server has gone", "see what it wrote above")
        verdict, _, rest = line.rstrip("\n").partition(" ")
        if verdict != "ok":
            raise Refused(rest)
        return rest

    def listen(self, port, window=None):
        self.call("listen", port, *([window] if window else []))

    def accept(self, wait_ms=PATIENCE_MS):
        return int(self.call("accept", wait_ms).split()[0])

    def connect(self, address, port):
        return int(self.call("connect", address, port))

    def established(self, number, wait_ms=PATIENCE_MS):
        self.call("established", number, wait_ms)

    def send(self, number, octets):
        return int(self.call("send", number, octets.hex()))

    def recv(self, number, most, wait_ms=PATIENCE_MS):
        return bytes.fromhex(self.call("recv", number, most, wait_ms))

    def shutdown(self, number):
        self.call("shutdown", number)

    def close(self, number):
        self.call("close", number)

    def abort(self, number):
        self.call("abort", number)

    def state(self, number):
        return self.call("state", number).split()[0]

    def counter(self, name):
        return int(self.call("counter", name))


# The kernel's numbers (include/net/tcp_states.h); what is in TIME-WAIT has left its socket.
STATES = {1: "ESTABLISHED", 2: "SYN-SENT", 3: "SYN-RECEIVED", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 7: "CLOSED",
          8: "CLOSE-WAIT", 9: "LAST-ACK", 11: "CLOSING"}


class Kernel:
    """The kernel's TCP in a namespace, its wire in another, by the same names."""

    name = "the kernel"
    device = PEER_END

    def __init__(self, net=NETS[4]):
        self.net = net
        self.host = f"ptck{os.getpid()}-{id(self) & 0xffff:x}"
        self.ns = f"ptcw{os.getpid()}-{id(self) & 0xffff:x}"
        self.sockets, self.listeners = {}, []
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        for ns in (self.host, self.ns):
            netns.create(ns)
        join(self.host, self.ns)
        if self.net.family == socket.AF_INET6:
            with netns.entered(self.host), open(f"/proc/sys/net/ipv6/conf/{SERVER_END}/disable_ipv6", "w",
                                                encoding="ascii") as f:
                f.write("0\n")
        nodad = ("nodad",) if self.net.family == socket.AF_INET6 else ()
        run("ip", "-n", self.host, "addr", "add", f"{self.net.server}/{self.net.length}", "dev", SERVER_END, *nodad)

    def stop(self):
        for sock in [*self.sockets.values(), *self.listeners]:
            sock.close()
        for ns in (self.host, self.ns):
            netns.delete(ns)
        return 0

    def _socket(self):
        with netns.entered(self.host):
            sock = socket.socket(self.net.family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        return sock

    def _add(self, sock):
        sock.setblocking(False)
        # As RFC 6093 advises, and as we do: urgent data stays where it is in the stream.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        self.sockets[sock.fileno()] = sock
        return sock.fileno()

    def listen(self, port, window=None):
        sock = self._socket()
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.bind((self.net.server, port))
        sock.listen(64)
        self.listeners.append(sock)

    def accept(self, wait_ms=PATIENCE_MS):
        ready = select.select(self.listeners, [], [], wait_ms / 1000)[0]
        if not ready:
            raise Refused("EAGAIN")
        return self._add(ready[0].accept()[0])

    def connect(self, address, port):
        sock = self._socket()
        sock.connect_ex((address, port))
        return self._add(sock)

    def established(self, number, wait_ms=PATIENCE_MS):
        sock = self.sockets[number]
        select.select([], [sock], [], wait_ms / 1000)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise Refused(errno_name(code))
        try:
            sock.getpeername()
        except OSError as error:
            raise Refused("EAGAIN") from error

    def _call(self, wait_ms, fn):
        deadline = time.monotonic() + wait_ms / 1000
        while True:
            try:
                return fn()
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise Refused("EAGAIN") from error
                time.sleep(0.002)
            except OSError as error:
                raise Refused(errno_name(error.errno)) from error

    def send(self, number, octets):
        return self._call(0, lambda: self.sockets[number].send(octets))

    def recv(self, number, most, wait_ms=PATIENCE_MS):
        return self._call(wait_ms, lambda: self.sockets[number].recv(most))

    def shutdown(self, number):
        self._call(0, lambda: self.sockets[number].shutdown(socket.SHUT_WR))

    def close(self, number):
        self.sockets.pop(number).close()

    def abort(self, number):
        sock = self.sockets.pop(number)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def state(self, number):
        return STATES[self.sockets[number].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def errno_name(code):
    return errno.errorcode.get(code, str(code))

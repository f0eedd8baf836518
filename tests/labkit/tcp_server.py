"""Two servers under the same commands (docs/tcp-server.md): ours, and the kernel's sockets."""

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

ADDRESS, LENGTH = "10.79.0.2", 24
PATIENCE_MS = 10000


class Refused(Exception):
    """The server's `err NAME`."""


class Ours:
    """build/tests/tcp-server on a tap in a namespace of its own."""

    name = "ours"

    def __init__(self, *options):
        self.ns = f"ptcp{os.getpid()}-{id(self) & 0xffff:x}"
        self.device = "ptcp0"
        self.dir = tempfile.mkdtemp(prefix="ptcp.")
        self.process = self.socket = None
        try:
            netns.create(self.ns)
            self.start(options)
        except BaseException:
            self.stop()
            raise

    def start(self, options):
        path = f"{self.dir}/control"
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.ns, os.path.join(gateway.build_dir(), "tests", "tcp-server"),
             "--device", f"tap:{self.device}", "--control", path, "--address", f"{ADDRESS}/{LENGTH}", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise LabError(f"tcp-server did not start: {line!r}", "see what it wrote above")
        # The peer is raw: nothing of the kernel's own shall be on the wire.
        with netns.entered(self.ns), open(f"/proc/sys/net/ipv6/conf/{self.device}/disable_ipv6", "w",
                                          encoding="ascii") as f:
            f.write("1\n")
        run("ip", "-n", self.ns, "link", "set", self.device, "up")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.file = self.socket.makefile("r", encoding="ascii")

    def stop(self):
        """The exit code of the server: 0, or it died."""
        code = None
        if not self.dir:
            return code
        if self.socket:
            self.file.close()
            self.socket.close()
        if self.process:
            self.process.terminate()
            try:
                code = self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                code = self.process.wait()
            self.process.stdout.close()
        netns.delete(self.ns)
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

    def counter(self, name):
        return int(self.call("counter", name))


class Kernel:
    """The kernel's TCP in a namespace, its wire in another, by the same names."""

    name = "the kernel"

    def __init__(self):
        self.host = f"ptck{os.getpid()}-{id(self) & 0xffff:x}"
        self.ns = f"ptcw{os.getpid()}-{id(self) & 0xffff:x}"
        self.device = "ptcp0"
        self.sockets, self.listeners = {}, []
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        for ns in (self.host, self.ns):
            netns.create(ns)
        run("ip", "link", "add", "ptcp1", "netns", self.host, "type", "veth", "peer", "name", self.device,
            "netns", self.ns)
        for ns, device in ((self.host, "ptcp1"), (self.ns, self.device)):
            with netns.entered(ns), open(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6", "w",
                                         encoding="ascii") as f:
                f.write("1\n")
            run("ip", "netns", "exec", ns, "ethtool", "-K", device, "tx", "off", "gso", "off", "tso", "off")
            run("ip", "-n", ns, "link", "set", device, "up")
        run("ip", "-n", self.host, "addr", "add", f"{ADDRESS}/{LENGTH}", "dev", "ptcp1")

    def stop(self):
        for sock in [*self.sockets.values(), *self.listeners]:
            sock.close()
        for ns in (self.host, self.ns):
            netns.delete(ns)
        return 0

    def _socket(self):
        with netns.entered(self.host):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        return sock

    def _add(self, sock):
        sock.setblocking(False)
        self.sockets[sock.fileno()] = sock
        return sock.fileno()

    def listen(self, port, window=None):
        sock = self._socket()
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.bind((ADDRESS, port))
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


def errno_name(code):
    return errno.errorcode.get(code, str(code))

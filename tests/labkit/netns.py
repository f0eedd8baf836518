"""Network namespaces, the devices in them, and sockets made inside one."""

import contextlib
import ctypes
import os
import signal
import socket
import time

from .proc import LabError, reap, run, start_time

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def path(name):
    return f"/run/netns/{name}"


def exists(name):
    return os.path.exists(path(name))


def create(name):
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")


def delete(name):
    """Ends what still runs in the namespace (only we put processes there) and removes it."""
    if not exists(name):
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = [int(p) for p in run("ip", "netns", "pids", name, check=False).split()
                if p.isdigit() and int(p) != os.getpid()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for pid in pids:
                reap(pid)
            if not any(start_time(pid) for pid in pids):
                break
            time.sleep(0.02)
    run("ip", "netns", "delete", name)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise LabError(f"setns: {os.strerror(code)}", "the lab needs root")


@contextlib.contextmanager
def entered(name):
    """The calling thread is in the namespace for the duration; sockets made there stay there."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(path(name), os.O_RDONLY)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(here)
    finally:
        os.close(there)
        os.close(here)


def tcp_socket(name, family=socket.AF_INET):
    with entered(name):
        return socket.socket(family, socket.SOCK_STREAM)


def link_exists(device, ns=None):
    where = ("-n", ns) if ns else ()
    return device in run("ip", *where, "-o", "link", "show", "dev", device, check=False).split(": ")


def delete_link(device):
    # It may go by itself at this moment, with its maker or with its peer's namespace.
    if os.path.exists(f"/sys/class/net/{device}"):
        run("ip", "link", "delete", device, check=False)
    if os.path.exists(f"/sys/class/net/{device}"):
        raise LabError(f"cannot delete the device {device}", f"ip link delete {device}")


def has_ipv6():
    return os.path.exists("/proc/sys/net/ipv6")


def address(ns, device, *addresses):
    """Brings a device in a namespace up with its addresses; the first of a kind is used by itself."""
    for i, addr in enumerate(addresses):
        options = ()
        if ":" in addr:
            first = not any(":" in a for a in addresses[:i])
            options = ("nodad",) if first else ("nodad", "preferred_lft", "0")
        run("ip", "-n", ns, "addr", "add", addr, "dev", device, *options)
    run("ip", "-n", ns, "link", "set", device, "up")


def veth(outer, inner, ns, addresses=(), queues=1):
    """A pair: outer stays here for the gateway, inner is the client's end in the namespace.

    Without addresses the kernel says nothing on the outer end."""
    many = ("numrxqueues", str(queues), "numtxqueues", str(queues))
    run("ip", "link", "add", outer, *many, "type", "veth", "peer", "name", inner, *many)
    run("ip", "link", "set", inner, "netns", ns)
    if has_ipv6() and not addresses:
        with open(f"/proc/sys/net/ipv6/conf/{outer}/disable_ipv6", "w", encoding="ascii") as f:
            f.write("1\n")
    for addr in addresses:
        run("ip", "addr", "add", addr, "dev", outer, *(("nodad",) if ":" in addr else ()))
    run("ip", "link", "set", outer, "up")
    # The kernel leaves checksums to a device that would fill them in: there is none here.
    run("ip", "netns", "exec", ns, "ethtool", "-K", inner, "tx", "off")


def steer_receive(device, cpu_mask="1"):
    """Without it packets of one flow are queued on several CPUs and arrive out of order."""
    with open(f"/sys/class/net/{device}/queues/rx-0/rps_cpus", "w", encoding="ascii") as f:
        f.write(cpu_mask + "\n")


def free_port(host="127.0.0.1", preferred=0):
    """A TCP and UDP port that nobody listens on now."""
    for port in (preferred, *([0] * 50)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((host, port))
                udp.bind((host, tcp.getsockname()[1]))
            except OSError:
                continue
            return tcp.getsockname()[1]
    raise LabError(f"no free port on {host}", "see 'ss -lntu'")

#!/usr/bin/python3
"""af_xdp-shared with the daemon: the kernel's own TCP and ping on the same interface and addresses go on
beside our mail, a kill leaves nothing behind, and what cannot be served is refused with what to do."""

import json
import os
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import gateway, lab, netns, senders, tap  # noqa: E402
from labkit.proc import wait_until  # noqa: E402

KERNELS_PORT = 2526
PINGS, ECHOES, MAILS = 300, 100, 20
LIMIT_S = 60


def addresses():
    return [senders.GATEWAY_IP, senders.GATEWAY_IP6] if netns.has_ipv6() else [senders.GATEWAY_IP]


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class KernelEcho:
    """A server of the host's on the addresses that it shares with us."""

    def __init__(self):
        self.listeners = []
        for address in addresses():
            listener = socket.socket(family(address))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, KERNELS_PORT))
            listener.listen(16)
            self.listeners.append(listener)
            threading.Thread(target=self.serve, args=(listener,), daemon=True).start()

    @staticmethod
    def serve(listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                while data := peer.recv(65536):
                    peer.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def echo(here, count):
    """How many of the connections to the kernel's server heard what they said."""
    heard = 0
    for i in range(count):
        address = addresses()[i % len(addresses())]
        text = os.urandom(20000)
        with here.socket(family(address)) as sock:
            sock.settimeout(LIMIT_S)
            sock.connect((address, KERNELS_PORT))
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            back = b""
            while data := sock.recv(65536):
                back += data
            heard += back == text
    return heard


def mail(here, address):
    done = here.run(os.path.join(gateway.build_dir(), "bench", "postern-load"), "--quiet", "--json", "-",
                    "--connections", "4", "--total", str(MAILS), "--size", "20000", address, check=False)
    result = json.loads(done)
    return result["accepted"], result["errors"]


def beside_the_kernel(t, here):
    pings = subprocess.Popen(["ip", "netns", "exec", here.netns, "ping", "-q", "-f", "-c", str(PINGS), "-W", "20",
                              senders.GATEWAY_IP], stdout=subprocess.PIPE, text=True)
    heard = []
    with KernelEcho():
        kernels = threading.Thread(target=lambda: heard.append(echo(here, ECHOES)))
        kernels.start()
        for address in addresses():
            t.equal(mail(here, address), (MAILS, {}), f"mail to {address}")
        kernels.join()
    t.equal(heard, [ECHOES], "the kernel's TCP on the same addresses, meanwhile")
    t.contains(pings.communicate(timeout=LIMIT_S)[0], f"{PINGS} received", "and ping")


def has_program(here):
    return "xdp" in netns.run("ip", "link", "show", "dev", here.link)


def kernel_answers(here):
    try:
        with here.socket() as sock:
            sock.settimeout(LIMIT_S)
            sock.connect((senders.GATEWAY_IP, 25))
        return False
    except ConnectionRefusedError:
        return True


def a_kill(t, here):
    t.ok(has_program(here), "the interface has our program")
    here.gateway.process.kill()
    wait_until(lambda: not has_program(here), LIMIT_S, "the program goes")
    t.ok(True, "after kill -9 it has none")
    t.ok(kernel_answers(here), "and the kernel answers for the port")
    here.start_gateway()
    t.equal(mail(here, senders.GATEWAY_IP), (MAILS, {}), "started again: mail")
    here.gateway.stop(40)
    t.ok(not has_program(here) and kernel_answers(here), "so it is after the ordinary end")


def check(here, device, io=2):
    """What `postern check` says of a device."""
    settings = here.settings()
    settings["lcores"] = {"io": io}
    settings["listen"][0]["device"] = device
    here.gateway.configure(settings)
    return here.gateway.tool("check", "-c", here.gateway.config, check=False)


def refusals(t, here):
    """Each tells check, and the daemon's start asks the same."""
    link = here.link
    t.ok("device" not in check(here, f"af_xdp-shared:{link}"), "check finds nothing wrong with the interface")
    t.contains(check(here, f"af_xdp-shared:{link}", io=3), f"ethtool -L {link} ", "too few queues: how to change that")
    t.contains(check(here, f"af_packet:{link}"), "would answer beside us",
               "af_packet on an interface with addresses of the kernel's: refused")
    t.contains(check(here, "af_xdp-shared:nosuch0"), "no such interface", "no interface")
    t.contains(check(here, "pci:0000:ff:1f.7"), "no such PCI device", "no NIC")
    t.contains(check(here, "pci:3b00.0"), "not a PCI address", "no address of a NIC")
    for kind, words in (("vlan", ("type", "vlan", "id", "5")), ("bond", ("type", "bond"))):
        other = f"{link[:-1]}{kind[0]}"
        under = ("link", link) if kind == "vlan" else ()
        # Not in sight of a message where the kernel can make none.
        netns.run("ip", "link", "add", *under, "name", other, *words, check=False)
        if not os.path.exists(f"/sys/class/net/{other}"):
            t.skip(f"{kind}: refused", "this kernel makes none")
            continue
        try:
            t.contains(check(here, f"af_xdp-shared:{other}"), kind, f"{kind}: refused")
        finally:
            netns.delete_link(other)


def main():
    with tap.Tests("shared_interface", limit_s=240) as t, \
            lab.temporary({"lcores": {"io": 2}}, device="af_xdp-shared", queues=2) as here:
        beside_the_kernel(t, here)
        a_kill(t, here)
        refusals(t, here)


if __name__ == "__main__":
    main()

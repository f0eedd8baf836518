#!/usr/bin/python3
"""postern deny and allow: who is kept out, on the device and on the kernel's listener, over restarts."""

import os
import sys

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, netns, proc, senders, smtp, tap  # noqa: E402

LOCAL = "127.0.0.1"


def postern(here, *words, check=True):
    return here.gateway.tool(words[0], "-c", here.gateway.config, *words[1:], check=check)


def greets(connect):
    """Whether a new connection gets a greeting; one that is not answered at all does not."""
    try:
        with connect() as peer:
            return peer.reply().code == 220
    except (OSError, smtp.Closed):
        return False


def add_kernel_listener(here, port):
    with open(here.gateway.config, encoding="utf-8") as f:
        settings = yaml.safe_load(f)
    settings["listen"].append({"device": "kernel", "addresses": [f"{LOCAL}/8"], "ports": [port]})
    here.gateway.configure(settings)


def from_client(here, source=None):
    return lambda: here.connect(source=source, timeout_s=3)


def from_here(port):
    return lambda: smtp.Peer(smtp.socket.create_connection((LOCAL, port), timeout=3), 3)


def on_the_device(t, here):
    listed, other = from_client(here), from_client(here, senders.UNLISTED_IP)
    t.equal(postern(here, "deny", "--list"), "everyone is let in\n", "at first everyone is let in")
    t.ok(greets(listed), "a client is greeted")
    with here.connect() as open_one:
        open_one.hello()
        postern(here, "deny", f"{senders.CLIENT_IP}/32")
        try:
            open_one.send(b"NOOP\r\n")
            open_one.line()
            t.ok(False, "its open connection is cut when it is denied")
        except (OSError, smtp.Closed):
            t.ok(True, "its open connection is cut when it is denied")
    t.ok(not greets(listed), "a new one gets no answer")
    t.ok(here.gateway.stats()["net_denied"] > 0, "its packets are counted")
    t.ok(greets(other), "another client is still greeted")
    t.ok("0% packet loss" in here.run("ping", "-c", "1", "-W", "3", senders.GATEWAY_IP),
         "ping is answered still")
    postern(here, "deny", "--remove", f"{senders.CLIENT_IP}/32")
    t.ok(greets(listed), "removed: it is greeted again")

    postern(here, "deny", "10.25.0.0/16")
    postern(here, "allow", senders.UNLISTED_IP)
    t.ok(not greets(listed) and greets(other), "the longest network decides")
    postern(here, "allow", senders.CLIENT_IP, "--for", "8s")
    t.ok(greets(listed), "allowed for a time")
    proc.wait_until(lambda: not greets(listed), 20, "that ends by itself", log=here.gateway.log)
    t.ok(greets(other), "and the rule that stands holds")


def over_a_restart(t, here):
    listed, other = from_client(here), from_client(here, senders.UNLISTED_IP)
    before = postern(here, "allow", "--list")
    t.contains(before, "deny  10.25.0.0/16\n", "rules are listed")
    here.gateway.stop()
    here.start_gateway()
    t.equal(postern(here, "deny", "--list"), before, "they are there after a restart")
    t.ok(not greets(listed) and greets(other), "and in force")


def on_the_kernels_listener(t, here, port):
    t.ok(greets(from_here(port)), "a sender on this machine is greeted")
    postern(here, "deny", LOCAL, "--for", "1h")
    t.ok(not greets(from_here(port)), "denied, it is refused")
    t.ok(here.gateway.stats()["smtp_denied"] > 0, "and counted")
    postern(here, "deny", "--remove", LOCAL)
    t.ok(greets(from_here(port)), "removed, it is greeted again")


def bad_orders(t, here):
    for words in (["deny"], ["deny", "10.0.0.1/8"], ["deny", "x"], ["deny", LOCAL, "--for", "0s"],
                  ["allow", LOCAL, "::1"], ["deny", "--list", LOCAL]):
        said = here.gateway.tool(*words, check=False)
        t.ok(said.startswith("postern: ") and said.count("\n") == 1,
             f"postern {' '.join(words)}: one line says what is wrong", said)


def main():
    with tap.Tests("access", limit_s=150) as t, lab.temporary() as here:
        port = netns.free_port()
        here.gateway.stop()
        add_kernel_listener(here, port)
        here.start_gateway()
        bad_orders(t, here)
        on_the_device(t, here)
        over_a_restart(t, here)
        on_the_kernels_listener(t, here, port)


if __name__ == "__main__":
    main()

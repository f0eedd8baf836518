#!/usr/bin/python3
"""Our TCP under segments made by hand, legal and illegal, and the kernel's under the same ones.

Each case of tests/conformance returns what a peer and a program can see; that is compared with what
the case says, and with what the kernel's TCP did. Where ours is to differ, the case says why.

usage: tcp_conformance.py [--all | --device D [--family 4|6]] [CASE...]

Without options on tap, IPv4 and IPv6, and on af_packet; --all: on every device with both.
"""

import argparse
import contextlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from conformance import PORT, closing, data, handshake, network, numbers, options, ours, robust, scapy_made  # noqa: E402
from conformance import states, wanted, windows  # noqa: E402
from labkit import tap, tcp_server  # noqa: E402
from labkit.scripts import World  # noqa: E402
from labkit.tcp_server import DEVICES, NETS, Refused  # noqa: E402

LIMIT_S = 900
BOTH = [*handshake.CASES, *options.CASES, *numbers.CASES, *states.CASES, *data.CASES, *windows.CASES,
        *closing.CASES, *network.CASES, *scapy_made.CASES]
OURS_ALONE = [*ours.CASES, *robust.CASES]
QUICK = (("tap", 4), ("tap", 6), ("af_packet", 4))
EVERY = tuple((device, family) for device in DEVICES for family in NETS)


def observed(case, world):
    try:
        return case(world)
    except (Refused, AssertionError, AttributeError, IndexError, KeyError, TypeError, OSError) as error:
        return f"failed: {error!r}"


def differences(got, expected):
    """Of two tables only the rows that are not the same."""
    if not isinstance(got, dict) or not isinstance(expected, dict):
        return got, expected
    odd = [key for key in {**got, **expected} if got.get(key, "") != expected.get(key, "")]
    return {key: got.get(key) for key in odd}, {key: expected.get(key) for key in odd}


def run(t, cases, world, where):
    for case, expected in cases:
        t.equal(*differences(observed(case, world), wanted(expected, world)), f"{where}: {case.__name__}")


def listening(stack, server):
    world = World(server)
    stack.callback(world.close)
    # No larger than a SYN-ACK can say: else a window update follows the handshake.
    world.server.listen(PORT, 65535)
    return world


def run_ours(t, device, family, names):
    with contextlib.ExitStack() as stack:
        world = listening(stack, tcp_server.Ours("--half-open", str(ours.HALF_OPEN), "--keepalive",
                                                 str(ours.KEEPALIVE_S), device=device, net=NETS[family]))
        where = f"ours, {device}, IPv{family}"
        run(t, chosen([*BOTH, *OURS_ALONE], names), world, where)
        t.equal(world.server.stop(), 0, f"{where}: the server ends in good order")


def run_kernel(t, family, names):
    with contextlib.ExitStack() as stack:
        world = listening(stack, tcp_server.Kernel(net=NETS[family]))
        run(t, chosen(BOTH, names), world, f"the kernel, IPv{family}")


def chosen(cases, names):
    return [case for case in cases if not names or case[0].__name__ in names]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--device", choices=DEVICES)
    parser.add_argument("--family", type=int, choices=NETS)
    parser.add_argument("names", nargs="*", metavar="CASE")
    return parser.parse_args()


def variants(args):
    every = EVERY if args.all or args.device or args.family else QUICK
    return [(device, family) for device, family in every
            if args.device in (None, device) and args.family in (None, family)]


def main():
    args = arguments()
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        tap.skip_all("needs root and /dev/net/tun")
    with tap.Tests("tcp_conformance", limit_s=LIMIT_S) as t:
        for family in sorted({family for _, family in variants(args)}):
            run_kernel(t, family, args.names)
        for device, family in variants(args):
            run_ours(t, device, family, args.names)


if __name__ == "__main__":
    main()

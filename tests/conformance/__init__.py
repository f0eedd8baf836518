"""The cases of tests/e2e/tcp_conformance.py.

A case gets a World (labkit.scripts) and returns what a peer and a program can see. That is compared
with what stands beside it in CASES, for our server and for the kernel's. A callable there is given
the World; Differs says where the two are to differ, and why.
"""

import dataclasses

from labkit.tcp_server import Refused

PORT = 25


@dataclasses.dataclass(frozen=True)
class Differs:
    ours: object
    kernel: object
    why: str


def outcome(fn):
    """What a call came to, as a word."""
    try:
        value = fn()
    except Refused as refused:
        return str(refused)
    return value if value is not None else "ok"


def fate(w, number):
    """What a program sees of a connection: open, ended or an error."""
    value = outcome(lambda: w.server.recv(number, 100, 0))
    return {"EAGAIN": "open", b"": "ended"}.get(value, value)


def wanted(expected, world):
    if callable(expected):
        return expected(world)
    if isinstance(expected, Differs):
        return expected.ours if world.server.name == "ours" else expected.kernel
    return expected

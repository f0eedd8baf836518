"""Noise, and commands that cannot be."""

import os
import random

from labkit.packets import ACK, FIN, MOD, PSH, SYN
from labkit.scripts import FIRST_PORT

from . import PORT, fate, outcome


def survives_segments_at_random(w):
    """Any flags, numbers, options and lengths, around a connection and elsewhere."""
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
    rng = random.Random(seed)
    print(f"# seed {seed}", flush=True)
    flow, number = w.opened(PORT)
    for i in range(6000):
        if i % 200 == 199:
            w.settle()
            w.peer.arrived.clear()
            if fate(w, number) != "open":
                w.server.abort(number)
                flow, number = w.opened(PORT)
        near = rng.choice((0, 0, 1, -1, 5, 1000, 70000, 1 << 31))
        # Ports below those that other cases take: what is left open there must not meet them.
        w.peer.send(rng.choice((flow.sport, flow.sport, rng.randrange(FIRST_PORT))),
                    rng.choice((PORT, PORT, PORT, rng.randrange(65536))),
                    flow.snd + rng.choice((near, -near, rng.randrange(MOD))),
                    flow.rcv + rng.choice((0, 0, near, -near, rng.randrange(MOD))),
                    rng.choice((ACK, ACK | PSH, SYN, FIN | ACK, rng.randrange(64))),
                    rng.randbytes(rng.choice((0, 0, 1, 7, 100, 1400))),
                    rng.randbytes(rng.choice((0, 0, 4, 12, 40))), window=rng.choice((0, 1, 65535)),
                    offset=rng.choice((None,) * 9 + (rng.randrange(16),)))
    w.settle()
    w.peer.arrived.clear()
    w.server.abort(number)
    while outcome(lambda: w.server.abort(w.server.accept(0))) == "ok":
        pass
    again = w.flow(PORT)
    again.open()
    number = w.server.accept()
    again.send(ACK, b"alive")
    data = w.server.recv(number, 10)
    w.server.abort(number)
    return data


HUGE = ("99999999999999999999999", "-1", "+1", "0x10", "1e3", "010x", "", "\u0000", "nan", "4294967296000", "%s%n")


def spoilt(words):
    """Each word of a good line in turn replaced by each that cannot be."""
    for i in range(1, len(words)):
        for bad in HUGE:
            yield [*words[:i], bad, *words[i + 1:]]
    yield words[:-1] if len(words) > 1 else [*words, "1"]
    yield [*words, *["7"] * 5]


LINES = {
    "listen": (["listen", "2000", "4096"],), "unlisten": (["unlisten", "2000"],), "accept": (["accept", "0"],),
    "connect": (["connect", "PEER", "25"],), "established": (["established", "1", "0"],),
    "send": (["send", "1", "abcd"],), "recv": (["recv", "1", "10", "0"],), "window": (["window", "1", "1000"],),
    "shutdown": (["shutdown", "1"],), "close": (["close", "1"],), "abort": (["abort", "1"],),
    "state": (["state", "1"],), "counter": (["counter", "tcp_rx"],), "clock": (["clock", "+1"],),
    "isn": (["isn", "5"],), "quit": (["quit"],),
}
NAMED = {"EINVAL", "EBADF", "ENOSYS", "ENOENT", "EAGAIN", "EADDRINUSE", "EADDRNOTAVAIL", "ENETUNREACH", "ENOMEM"}


def every_command_refuses_what_it_cannot_use(w):
    """By a name, at once, and goes on."""
    found = {}
    for name, (words,) in LINES.items():
        lines = [["PEER" == word and w.peer_address or word for word in line] for line in spoilt(words)]
        said = {outcome(lambda line=line: w.server.call(*line)) for line in lines if line not in (["clock"],
                                                                                                 ["accept"])}
        found[name] = {word for word in said if word not in NAMED}
    # What of these is a good line after all: a part left out.
    w.server.call("unlisten", 2000)
    outcome(lambda: w.server.call("unlisten", 16))
    return {name: words for name, words in found.items() if any(not word.isdigit() and word for word in words)}


def refuses_by_the_right_name(w):
    return [outcome(lambda words=words: w.server.call(*words)) for words in
            (["fly"], [""], ["LISTEN", 25], ["listen"], ["listen", "70000"], ["listen", 0], ["listen", PORT],
             ["listen", 2000, 99999999], ["recv", 4000, 1], ["recv", 1, 0], ["close", 0], ["send", 1, "ab"],
             ["send", 1, "abc"], ["send", 1, "xy"], ["clock", "-1"], ["clock", "+604800000001"], ["isn", 1 << 32],
             ["accept"], ["accept", 600001], ["connect", "nowhere", 25], ["connect", w.peer_address, 0],
             ["counter", "no_such"], ["send", 1, "00" * 70000], ["send", 1, "00" * 200000], ["state", 4097])]


def lines_in_one_go_are_answered_in_order(w):
    return w.server.many(["clock hold", "fly", "isn 7", "clock run", "state 0\r", " clock", "counter  tcp_rx"])


def ports_to_listen_on_are_32(w):
    found = [outcome(lambda port=port: w.server.listen(port)) for port in range(3000, 3040)]
    for port in range(3000, 3040):
        w.server.call("unlisten", port)
    return found.count("ok"), set(found[31:])


def a_thousand_connections_stand_side_by_side(w):
    flows = []
    for _ in range(1000):
        flow = w.flow(PORT)
        flow.open()
        flows.append((flow, w.server.accept()))
    for flow, number in flows[::50]:
        flow.send(ACK | PSH, b"%d" % number)
    found = all(w.server.recv(number, 100) == b"%d" % number for flow, number in flows[::50])
    for _, number in flows:
        w.server.abort(number)
    w.settle()
    w.peer.arrived.clear()
    return found


def control_is_taken_over_by_the_next_client(w):
    """With the connections as they were; a line cut short by the end of the first is not run."""
    flow, number = w.opened(PORT)
    w.server.socket.sendall(b"abort %d" % number)
    w.server.again()
    flow.send(ACK | PSH, b"still here")
    data = w.server.recv(number, 100)
    w.server.abort(number)
    return data


OURS = True
CASES = [
    (survives_segments_at_random, b"alive"),
    (every_command_refuses_what_it_cannot_use, {}),
    (refuses_by_the_right_name,
     ["ENOSYS", "ENOSYS", "ENOSYS", "EINVAL", "EINVAL", "EINVAL", "EADDRINUSE", "EINVAL", "EBADF", "EBADF", "EBADF",
      "EBADF", "EBADF", "EBADF", "EINVAL", "EINVAL", "EINVAL", "EAGAIN", "EINVAL", "EINVAL", "EINVAL", "ENOENT",
      "EBADF", "EMSGSIZE", "EBADF"]),
    (lines_in_one_go_are_answered_in_order, ["ok", "err", "ok", "ok", "err", "err", "err"]),
    (ports_to_listen_on_are_32, (31, {"ENOSPC"})),
    (a_thousand_connections_stand_side_by_side, True),
    (control_is_taken_over_by_the_next_client, b"still here"),
]

"""Flags and numbers where there is a connection, a listener or nothing."""

from labkit.packets import ACK, FIN, MOD, RST, SYN, names
from labkit.scripts import CLOSED_PORT

from . import PORT, fate


def closed_port_answers(w):
    found = {}
    for flags in range(64):
        flow = w.flow(CLOSED_PORT)
        flow.send(flags, ack=77777)
        found[names(flags)] = [f"{names(s.flags)} {s.seq} {(s.ack - flow.snd) % MOD if s.flags & ACK else ''}"
                               for s in flow.all()]
    return found


def closed_port_says(flags):
    if flags & RST:
        return []
    return ["RST 77777 "] if flags & ACK else ["RST|ACK 0 0"]


def listening_port_answers(w):
    found = {}
    for flags in range(64):
        flow = w.flow(PORT)
        flow.send(flags, ack=77777)
        found[names(flags)] = [names(s.flags) for s in flow.all()]
        flow.send(RST, ack=0)
    return found


def listening_port_says(flags):
    if flags & RST:
        return []
    if flags & ACK:
        return ["RST"]
    return ["SYN|ACK"] if flags & SYN and not flags & FIN else []


def every_flag_on_an_open_connection(w):
    found = {}
    for flags in range(64):
        flow, number = w.opened(PORT)
        here = flow.snd
        flow.send(flags)
        flow.snd = here
        answers, end = flow.answers(), fate(w, number)
        if end == "ended" and not answers:  # a FIN may be acknowledged as late as data
            answers = [flow.word(flow.got())]
        found[names(flags)] = answers, end
        w.server.abort(number)
    return found


def open_connection_says(flags):
    if flags & RST:
        return [], "ECONNRESET"
    if flags & SYN:
        return ["ACK acks +0"], "open"  # RFC 5961 §4
    if flags & ACK and flags & FIN:
        return ["ACK acks +1"], "ended"
    return [], "open"


def at_each(w, distances, send):
    """What one segment does to a fresh connection, for each distance from the expected number."""
    found = []
    for distance in distances:
        flow, number = w.opened(PORT)
        send(flow, distance)
        found.append((distance, flow.answers(), fate(w, number)))
        w.server.abort(number)
    return found


def rst_resets_only_at_the_very_next_number(w):
    return at_each(w, (0, 1, 1000, -1, -1000, 10000000), lambda flow, distance: flow.send(
        RST, seq=flow.snd + distance))


def syn_anywhere_is_asked_back(w):
    return at_each(w, (0, 1000, -1, 10000000), lambda flow, distance: flow.send(SYN, seq=flow.snd + distance))


def ack_of_what_was_never_sent_is_asked_back(w):
    return at_each(w, (1, 100000, -10000000), lambda flow, distance: flow.send(
        ACK, b"forged", seq=flow.snd, ack=flow.rcv + distance))


def challenge_acks_are_limited(w):
    flow, number = w.opened(PORT)
    for i in range(200):
        flow.send(RST, seq=flow.snd + 1 + i)
    few = len(flow.all()) <= 10
    alive = fate(w, number)
    w.server.abort(number)
    return few, alive


def segments_with_a_broken_header_are_ignored(w):
    flow, number = w.opened(PORT)
    flow.send(ACK, b"damaged", seq=flow.snd, damage=1)
    flow.send(ACK, b"short", seq=flow.snd, offset=4)
    flow.send(ACK, b"long", seq=flow.snd, offset=15)
    flow.send(0, b"no ACK", seq=flow.snd)
    w.peer.send_ip(b"\0\1\0\x19abc")
    w.peer.send_ip(b"")
    found = flow.answers(), fate(w, number)
    w.server.abort(number)
    return found


def each(says):
    return {names(flags): says(flags) for flags in range(64)}


CASES = [
    (closed_port_answers, each(closed_port_says)),
    (listening_port_answers, each(listening_port_says)),
    (every_flag_on_an_open_connection, each(open_connection_says)),
    (rst_resets_only_at_the_very_next_number,
     [(0, [], "ECONNRESET"), (1, ["ACK acks +0"], "open"), (1000, ["ACK acks +0"], "open"),
      (-1, [], "open"), (-1000, [], "open"), (10000000, [], "open")]),
    (syn_anywhere_is_asked_back, [(d, ["ACK acks +0"], "open") for d in (0, 1000, -1, 10000000)]),
    (ack_of_what_was_never_sent_is_asked_back, [(d, ["ACK acks +0"], "open") for d in (1, 100000, -10000000)]),
    (challenge_acks_are_limited, (True, "open")),
    (segments_with_a_broken_header_are_ignored, ([], "open")),
]

#!/usr/bin/python3
"""Our TCP under segments made by hand, legal and illegal, and the kernel's under the same ones.

Each case returns what a peer and a program can see; that is compared with what the case says, and
with what the kernel's TCP did. Where ours is to differ, the case says why.

usage: tcp_conformance.py [CASE...]
"""

import contextlib
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import packets, tap, tcp_server  # noqa: E402
from labkit.packets import ACK, FIN, MOD, PSH, RST, SYN, URG, names  # noqa: E402
from labkit.scripts import CLOSED_PORT, FIRST_PORT, OPTIONS, PEER, World  # noqa: E402
from labkit.tcp_server import Refused  # noqa: E402

LIMIT_S = 400
PORT = 25
WRAP_ISN = 0xfffffff0
HALF_OPEN = 16


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


# --- the handshake

def handshake_answers_every_option(w):
    flow = w.flow(PORT)
    answer = flow.open(OPTIONS + packets.timestamps(12345))
    w.server.close(w.server.accept())
    return {"options": sorted(answer.options), "mss": int.from_bytes(answer.options[2], "big"),
            "echo": int.from_bytes(answer.options[8][4:], "big"), "window not scaled": answer.window <= 65535}


def handshake_offers_nothing_that_was_not_offered(w):
    flow = w.flow(PORT)
    answer = flow.open(b"")
    w.server.close(w.server.accept())
    return sorted(answer.options)


def syn_with_broken_options_is_answered(w):
    found = []
    for options in (b"\x02\x00\x00\x00", b"\x02\x01\x00\x00", b"\x03\x28\x07\x00", b"\xfd\xff\x00\x00",
                    b"\x02\x04\x00\x00", b"\x01\x01\x01\x02", b"\x03\x03\xff\x00"):
        flow = w.flow(PORT)
        flow.send(SYN, options=options)
        found += [names(s.flags) for s in flow.all()]
        flow.send(RST)
    return found


def syn_ack_comes_again_for_the_same_syn(w):
    flow = w.flow(PORT)
    flow.send(SYN)
    first = flow.got()
    flow.send(SYN, seq=flow.snd - 1)
    second = flow.got(lambda s: s.flags & SYN)
    flow.rcv = first.end
    flow.send(RST)
    return first.seq == second.seq


def third_segment_with_a_wrong_ack_is_reset(w):
    flow = w.flow(PORT)
    flow.send(SYN)
    first = flow.got()
    flow.send(ACK, ack=first.end + 1000)
    answer = flow.got(lambda s: s.flags & RST)
    flow.send(RST)
    return answer.seq == first.end + 1000


def rst_ends_a_half_open_connection(w):
    flow = w.flow(PORT)
    flow.send(SYN)
    flow.rcv = flow.got().end
    flow.send(RST)
    flow.send(ACK)
    return flow.answers()


def data_with_the_third_segment_is_taken(w):
    flow = w.flow(PORT)
    flow.send(SYN, options=OPTIONS)
    flow.rcv = flow.got().end
    flow.send(ACK | PSH, b"EHLO\r\n")
    number = w.server.accept()
    data = w.server.recv(number, 100)
    w.server.abort(number)
    return data


# --- no connection there

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


# --- flags and numbers on an open connection

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


def old_timestamp_is_refused(w):
    flow = w.flow(PORT)
    flow.clock = 100000
    flow.open(OPTIONS + packets.timestamps(100000))
    number = w.server.accept()
    flow.clock = 100001
    flow.send(ACK, b"one")
    first = w.server.recv(number, 10)
    flow.all()
    flow.clock = 90000
    flow.send(ACK, b"old", seq=flow.snd)
    answer = flow.answers()
    found = first, answer, fate(w, number)
    w.server.abort(number)
    return found


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


# --- data and windows

def data_outside_the_window_is_acknowledged_and_dropped(w):
    return at_each(w, (-5, -100000, 10000000), lambda flow, distance: flow.send(
        ACK, b"other", seq=flow.snd + distance))


def what_is_partly_new_is_taken_in_part(w):
    flow, number = w.opened(PORT)
    flow.send(ACK, b"abcdef")
    first = w.server.recv(number, 100)
    flow.send(ACK, b"defghi", seq=flow.snd - 3)
    second = w.server.recv(number, 100)
    w.server.abort(number)
    return first + second


def out_of_order_data_is_kept_and_told_of(w):
    flow, number = w.opened(PORT)
    flow.send(ACK, b"ccc", seq=flow.snd + 6)
    blocks = [s.options.get(5) for s in flow.all()]
    flow.send(ACK, b"aaa", seq=flow.snd)
    first = w.server.recv(number, 100)
    flow.send(ACK, b"bbb", seq=flow.snd + 3)
    rest = w.server.recv(number, 100)
    edges = [int.from_bytes(blocks[0][i:i + 4], "big") - flow.snd for i in (0, 4)]
    w.server.abort(number)
    return first, rest, edges


def fin_waits_for_what_is_missing(w):
    flow, number = w.opened(PORT)
    flow.send(ACK | FIN, b"bbb", seq=flow.snd + 3)
    early = fate(w, number)
    flow.send(ACK, b"aaa", seq=flow.snd)
    data = w.server.recv(number, 100)
    end = w.server.recv(number, 100)
    w.server.abort(number)
    return early, data, end


def window_closes_and_opens_again(w):
    """A receiver that does not read: window 0, probes answered and not taken; reading opens it."""
    flow, number = w.opened(PORT)
    sent, window = 0, None
    while window != 0:
        assert sent < 20 << 20, "the window never closes"
        flow.send(ACK | PSH, bytes(1000))
        sent += 1000
        answer = flow.got(lambda s: True, 0.02)
        if answer:
            window = answer.window
            flow.snd = max(answer.ack, flow.snd - (0 if window else 1000))
    flow.all()
    flow.send(ACK, b"x", seq=flow.snd)
    probe = flow.all()
    shut = all(s.window == 0 and s.ack == flow.snd for s in probe) and len(probe) == 1
    data = b""
    while len(data) < sent:
        more = outcome(lambda: w.server.recv(number, 65536, 0))
        if not isinstance(more, bytes):
            break
        data += more
    opened = flow.got(lambda s: s.window > 0)
    w.server.abort(number)
    return shut, set(data) == {0}, opened is not None


def zero_window_of_the_peer_is_probed(w):
    flow, number = w.opened(PORT, window=0)
    w.server.send(number, b"waiting")
    probe = flow.got(lambda s: True, 5)
    flow.send(ACK, window=0)
    flow.send(ACK, window=1000)
    data = flow.got(lambda s: s.payload == b"waiting")
    w.server.abort(number)
    return probe is not None and len(probe.payload) <= 1, data is not None


def small_window_is_not_overrun(w):
    flow, number = w.opened(PORT, window=3)  # scaled by 7: 384 octets
    w.server.send(number, bytes(5000))
    segment = flow.got(lambda s: s.payload)
    most = max([segment.end] + [s.end for s in flow.all()])
    w.server.abort(number)
    return (most - flow.rcv) % MOD <= 384


def lost_data_is_sent_again(w):
    flow, number = w.opened(PORT)
    w.server.send(number, b"again")
    first = flow.got(lambda s: s.payload)
    second = flow.got(lambda s: s.payload)
    w.server.abort(number)
    return first.seq == second.seq, second.payload


def three_duplicate_acks_bring_the_first_segment_back(w):
    flow, number = w.opened(PORT)
    w.server.send(number, bytes(1000) + bytes(6000))
    first = flow.got(lambda s: s.payload)
    flow.all()
    for i in range(1, 4):
        block = bytes((1, 1, 5, 10)) + (first.end).to_bytes(4, "big") + \
            ((first.end + 1000 * i) % MOD).to_bytes(4, "big")
        flow.send(ACK, options=block)
    again = flow.got(lambda s: s.payload and s.seq == first.seq, 5)
    w.server.abort(number)
    return again is not None


# --- the end

def peer_closes_first(w):
    flow, number = w.opened(PORT)
    flow.send(FIN | ACK)
    acked = flow.word(flow.got())
    end = w.server.recv(number, 100)
    w.server.send(number, b"bye")
    data = flow.take(3)
    w.server.close(number)
    fin = flow.got(lambda s: s.flags & FIN)
    flow.rcv = fin.end
    flow.send(ACK)
    flow.send(ACK)  # nothing is left: RST
    return acked, end, data, flow.answers()


def server_closes_first(w):
    flow, number = w.opened(PORT)
    w.server.shutdown(number)
    fin = flow.got(lambda s: s.flags & FIN)
    flow.rcv = fin.end
    flow.send(ACK)
    flow.send(ACK, b"still talking")
    data = w.server.recv(number, 100)
    flow.send(FIN | ACK)
    last = flow.got(lambda s: s.ack == flow.snd)
    end = w.server.recv(number, 100)
    flow.all()
    flow.send(FIN | ACK, seq=flow.snd - 1)  # as if the last ACK had got lost
    again = flow.answers()
    w.server.close(number)
    return data, names(last.flags), end, again


def both_close_at_once(w):
    flow, number = w.opened(PORT)
    w.server.shutdown(number)
    fin = flow.got(lambda s: s.flags & FIN)
    flow.send(FIN | ACK)  # which does not acknowledge theirs
    acked = flow.answers()
    flow.rcv = fin.end
    flow.send(ACK)
    end = w.server.recv(number, 100)
    flow.send(FIN | ACK, seq=flow.snd - 1)
    again = flow.answers()  # TIME-WAIT
    w.server.close(number)
    return acked, end, again


def time_wait_yields_to_a_newer_syn(w):
    flow, number = w.opened(PORT)
    w.server.shutdown(number)
    flow.rcv = flow.got(lambda s: s.flags & FIN).end
    flow.send(FIN | ACK)
    flow.all()
    w.server.close(number)
    again = w.flow(PORT)
    again.sport, again.snd = flow.sport, flow.snd + 100000
    again.open()
    number = w.server.accept()
    again.send(ACK, b"second life")
    data = w.server.recv(number, 100)
    w.server.abort(number)
    return data


def time_wait_refuses_an_older_syn(w):
    flow, number = w.opened(PORT)
    w.server.shutdown(number)
    flow.rcv = flow.got(lambda s: s.flags & FIN).end
    flow.send(FIN | ACK)
    flow.all()
    w.server.close(number)
    flow.send(SYN, seq=flow.snd - 1000)
    return flow.answers()


def abort_sends_rst_at_the_next_number(w):
    flow, number = w.opened(PORT)
    w.server.abort(number)
    rst = flow.got(lambda s: s.flags & RST)
    return rst.seq == flow.rcv


# --- opened by the server

def opens_to_a_peer(w):
    number = w.server.connect(PEER, 2525)
    syn = w.peer.wait(lambda s: s.dport == 2525 and s.flags == SYN)
    flow = w.flow(syn.sport)
    flow.sport, flow.rcv = 2525, syn.end
    flow.send(SYN | ACK, options=OPTIONS)
    w.server.established(number)
    flow.got(lambda s: s.flags & ACK)
    w.server.send(number, b"hello")
    data = flow.take(5)
    w.server.abort(number)
    return sorted(k for k in syn.options if k != 8), data


def refused_by_rst(w):
    number = w.server.connect(PEER, 2526)
    syn = w.peer.wait(lambda s: s.dport == 2526 and s.flags == SYN)
    flow = w.flow(syn.sport)
    flow.sport = 2526
    flow.send(RST, seq=0)  # without ACK it may be anybody's
    flow.send(RST | ACK, seq=0, ack=syn.end + 5)
    flow.all()
    early = outcome(lambda: w.server.established(number, 0))
    flow.send(RST | ACK, seq=0, ack=syn.end)
    late = outcome(lambda: w.server.established(number))
    w.server.close(number)
    return early, late


def wrong_ack_to_our_syn_is_reset(w):
    number = w.server.connect(PEER, 2527)
    syn = w.peer.wait(lambda s: s.dport == 2527 and s.flags == SYN)
    flow = w.flow(syn.sport)
    flow.sport = 2527
    flow.send(SYN | ACK, ack=syn.end + 5)
    answer = [names(s.flags) for s in flow.all() if not s.flags & SYN]
    w.server.close(number)
    return answer


def both_open_at_once(w):
    number = w.server.connect(PEER, 2528)
    syn = w.peer.wait(lambda s: s.dport == 2528 and s.flags == SYN)
    flow = w.flow(syn.sport)
    flow.sport = 2528
    flow.send(SYN, ack=0, options=OPTIONS)
    answer = flow.got(lambda s: s.flags & SYN and s.flags & ACK)
    flow.rcv = syn.end
    flow.send(ACK, b"at once")
    w.server.established(number)
    data = w.server.recv(number, 100)
    w.server.abort(number)
    return answer.seq == syn.seq, data


# --- the cases: what is to be seen, of the kernel too

def each(says):
    return {names(flags): says(flags) for flags in range(64)}


CASES = [
    (handshake_answers_every_option,
     {"options": [2, 3, 4, 8], "mss": 1460, "echo": 12345, "window not scaled": True}),
    (handshake_offers_nothing_that_was_not_offered, [2]),
    (syn_with_broken_options_is_answered, ["SYN|ACK"] * 7),
    (syn_ack_comes_again_for_the_same_syn, True),
    (third_segment_with_a_wrong_ack_is_reset, True),
    (rst_ends_a_half_open_connection, ["RST"]),
    (data_with_the_third_segment_is_taken, b"EHLO\r\n"),
    (closed_port_answers, each(closed_port_says)),
    (listening_port_answers, each(listening_port_says)),
    (every_flag_on_an_open_connection, each(open_connection_says)),
    (rst_resets_only_at_the_very_next_number,
     [(0, [], "ECONNRESET"), (1, ["ACK acks +0"], "open"), (1000, ["ACK acks +0"], "open"),
      (-1, [], "open"), (-1000, [], "open"), (10000000, [], "open")]),
    (syn_anywhere_is_asked_back,
     [(d, ["ACK acks +0"], "open") for d in (0, 1000, -1, 10000000)]),
    (ack_of_what_was_never_sent_is_asked_back,
     [(d, ["ACK acks +0"], "open") for d in (1, 100000, -10000000)]),
    (challenge_acks_are_limited, (True, "open")),
    (old_timestamp_is_refused, (b"one", ["ACK acks +0"], "open")),
    (segments_with_a_broken_header_are_ignored, ([], "open")),
    (data_outside_the_window_is_acknowledged_and_dropped,
     [(d, ["ACK acks +0"], "open") for d in (-5, -100000, 10000000)]),
    (what_is_partly_new_is_taken_in_part, b"abcdefghi"),
    (out_of_order_data_is_kept_and_told_of, (b"aaa", b"bbbccc", [6, 9])),
    (fin_waits_for_what_is_missing, ("open", b"aaabbb", b"")),
    (window_closes_and_opens_again, (True, True, True)),
    (zero_window_of_the_peer_is_probed, (True, True)),
    (small_window_is_not_overrun, True),
    (lost_data_is_sent_again, (True, b"again")),
    (three_duplicate_acks_bring_the_first_segment_back, True),
    (peer_closes_first, ("ACK acks +0", b"", b"bye", ["RST"])),
    (server_closes_first, (b"still talking", "ACK", b"", ["ACK acks +0"])),
    (both_close_at_once, (["ACK acks +0"], b"", ["ACK acks +0"])),
    (time_wait_yields_to_a_newer_syn, b"second life"),
    (time_wait_refuses_an_older_syn, ["ACK acks +0"]),
    (abort_sends_rst_at_the_next_number, True),
    (opens_to_a_peer, ([2, 3, 4], b"hello")),
    (refused_by_rst, ("EAGAIN", "ECONNREFUSED")),
    (wrong_ack_to_our_syn_is_reset, ["RST"]),
    (both_open_at_once, (True, b"at once")),
]


# --- what the kernel has no commands for

def next_number_is_ours_to_set(w):
    """A transfer over the end of the sequence numbers, both ways."""
    w.server.call("isn", WRAP_ISN)
    flow = w.flow(PORT)
    flow.snd = MOD - 20
    answer = flow.open()
    number = w.server.accept()
    octets = bytes(range(250)) * 20
    w.server.send(number, octets)
    there = flow.take(len(octets)) == octets
    for i in range(0, len(octets), 1000):
        flow.send(ACK, octets[i:i + 1000])
    back = b""
    while len(back) < len(octets):
        back += w.server.recv(number, 65536)
    w.server.abort(number)
    return answer.seq == WRAP_ISN, there, back == octets


def syn_ack_is_repeated_and_given_up(w):
    """Time is ours: no second of it passes for real."""
    w.server.call("clock", "hold")
    before = w.server.counter("tcp_half_open")
    flow = w.flow(PORT)
    flow.send(SYN)
    first = flow.got()
    times = 0
    for _ in range(200):
        w.server.call("clock", "+1000000")
        times += len([s for s in flow.all() if s.flags == SYN | ACK and s.seq == first.seq])
    w.server.call("clock", "run")
    return 2 <= times <= 8, w.server.counter("tcp_half_open") - before


def retransmission_backs_off(w):
    w.server.call("clock", "hold")
    flow, number = w.opened(PORT)
    w.server.send(number, b"again")
    at = [0 for _ in flow.all()]
    for second in range(1, 64):
        w.server.call("clock", "+1000000")
        at += [second for s in flow.all() if s.payload]
    w.server.call("clock", "run")
    w.server.abort(number)
    gaps = [b - a for a, b in zip(at[2:], at[3:])]
    return len(at) >= 5 and all(b >= a for a, b in zip(gaps, gaps[1:]))


def connection_without_answer_times_out(w):
    flow, number = w.opened(PORT)
    w.server.send(number, b"nobody hears")
    w.server.call("clock", f"+{3600 * 1000000}")
    flow.all()
    end = fate(w, number)
    w.server.close(number)
    return end


def close_survives_what_still_comes(w):
    """DESIGN §5: after a final reply what comes is read and dropped, that the reply be not lost."""
    flow, number = w.opened(PORT)
    flow.send(ACK, b"unread")
    w.server.send(number, b"554 no\r\n")
    w.server.close(number)
    reply = flow.take(8)
    flow.send(ACK, bytes(1000))
    answers = [names(s.flags) for s in flow.all()]
    flow.send(RST)
    return reply, [a for a in answers if "RST" in a]


def cookies_answer_a_flood_and_end(w):
    """More handshakes than --half-open: cookies, which carry the options, and no state."""
    before = {name: w.server.counter(name) for name in
              ("tcp_cookies_engaged", "tcp_cookies_sent", "tcp_cookies_released", "tcp_cookies_accepted")}
    flows = [w.flow(PORT) for _ in range(100)]
    for flow in flows:
        flow.clock = 5000
        flow.send(SYN, options=OPTIONS + packets.timestamps(5000))
    answers = [flow.got(lambda s: s.flags == SYN | ACK) for flow in flows]
    half_open = w.server.counter("tcp_half_open")

    def third(i, ack=0, payload=b""):
        flows[i].rcv = (answers[i].end + ack) % MOD
        options = b"\1\1" + packets.timestamps(5001, int.from_bytes(answers[i].options[8][:4], "big"))
        flows[i].send(ACK, payload, options=options)

    third(99)  # a true one
    number = w.server.accept()
    w.server.send(number, bytes(20000))
    sizes = [len(s.payload) for s in flows[99].all()]
    third(98, payload=b"the third segment was lost")
    late = w.server.accept()
    data = w.server.recv(late, 100)
    third(97, ack=64)  # a forged one
    forged = [names(s.flags) for s in flows[97].all()]
    w.server.abort(number)
    w.server.abort(late)
    w.server.call("clock", f"+{120 * 1000000}")  # the half-open ones are given up
    last = w.flow(PORT)
    last.open()
    w.server.abort(w.server.accept())
    w.peer.arrived.clear()
    more = {name: w.server.counter(name) - value for name, value in before.items()}
    return {"answered": sum(a is not None for a in answers), "half open": half_open, "full size": max(sizes),
            "late": data, "forged": forged, "engaged": more["tcp_cookies_engaged"],
            "released": more["tcp_cookies_released"], "accepted": more["tcp_cookies_accepted"],
            "sent": more["tcp_cookies_sent"]}


def peer_that_vanishes_is_found_by_keepalive(w):
    flow, number = w.opened(PORT)
    probes, end = 0, "open"
    while end == "open" and probes < 100:
        w.server.call("clock", "+5000000")  # in steps, that ARP be answered
        probes += len([s for s in flow.all() if s.flags == ACK and s.seq == flow.rcv - 1])
        end = fate(w, number)
    w.server.close(number)
    return probes > 1, end


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


def refuses_commands_that_cannot_be(w):
    return [outcome(lambda words=words: w.server.call(*words)) for words in
            (["fly"], ["listen"], ["listen", "70000"], ["listen", PORT], ["recv", 4000, 1], ["close", 0],
             ["send", 1, "ab"], ["clock", "-1"], ["isn", 1 << 32], ["accept"], ["connect", "nowhere", 25])]


OURS_ALONE = [
    (next_number_is_ours_to_set, (True, True, True)),
    (syn_ack_is_repeated_and_given_up, (True, 0)),
    (retransmission_backs_off, True),
    (connection_without_answer_times_out, "ETIMEDOUT"),
    (close_survives_what_still_comes, (b"554 no\r\n", [])),
    (peer_that_vanishes_is_found_by_keepalive, (True, "ETIMEDOUT")),
    (cookies_answer_a_flood_and_end,
     {"answered": 100, "half open": HALF_OPEN, "full size": 1448, "late": b"the third segment was lost",
      "forged": ["RST"], "engaged": 1, "released": 1, "accepted": 2, "sent": 100 - HALF_OPEN}),
    (survives_segments_at_random, b"alive"),
    (refuses_commands_that_cannot_be,
     ["ENOSYS", "EINVAL", "EINVAL", "EADDRINUSE", "EBADF", "EBADF", "EBADF", "EINVAL", "EINVAL", "EAGAIN",
      "EINVAL"]),
]


def observed(case, world):
    try:
        return case(world)
    except (Refused, AssertionError, AttributeError, IndexError, TypeError) as error:
        return f"failed: {error!r}"


def main():
    wanted = sys.argv[1:]
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        tap.skip_all("needs root and /dev/net/tun")
    with tap.Tests("tcp_conformance", limit_s=LIMIT_S) as t, contextlib.ExitStack() as stack:
        worlds = []
        for make in (lambda: tcp_server.Ours("--half-open", str(HALF_OPEN), "--keepalive", "60"),
                     tcp_server.Kernel):
            worlds.append(World(make()))
            stack.callback(worlds[-1].close)
            # No larger than a SYN-ACK can say: else a window update follows the handshake.
            worlds[-1].server.listen(PORT, 65535)
        for cases, where in ((CASES, worlds), (OURS_ALONE, worlds[:1])):
            for case, expected in cases:
                if wanted and case.__name__ not in wanted:
                    continue
                for world in where:
                    t.equal(observed(case, world), expected, f"{case.__name__} ({world.server.name})")
        t.equal(worlds[0].server.stop(), 0, "the server ends in good order")


if __name__ == "__main__":
    main()

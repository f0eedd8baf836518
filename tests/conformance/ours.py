"""What the kernel has no commands for: time, numbers, memory."""

import contextlib

from labkit import ip, packets
from labkit.packets import ACK, FIN, MOD, PSH, RST, SYN, names
from labkit.scripts import OPTIONS

from . import PORT, fate, outcome

WRAP_ISN = 0xfffffff0
HALF_OPEN = 16  # of the server
KEEPALIVE_S = 60


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


TICK_US = 1024  # of the timing wheel: nothing is early, nothing later than that
STEP_US = 128


@contextlib.contextmanager
def held(w):
    """The server's clock moves by command only."""
    w.server.call("clock", "hold")
    try:
        yield
    finally:
        w.server.call("clock", "run")


def seen_after(w, flow, gaps, wanted):
    """For each gap (us) since the last: how many came before it, and how many within a tick after it."""
    found = []
    for gap in gaps:
        w.server.call("clock", f"+{gap - 2 * STEP_US}")
        early, seen = [s for s in flow.all() if wanted(s)], []
        for _ in range(TICK_US // STEP_US + 3):
            w.server.call("clock", f"+{STEP_US}")
            seen = [s for s in flow.all() if wanted(s)]
            if seen:
                break
        found.append((len(early), len(seen)))
    return found


def syn_ack_goes_again_after_1_2_4_8_and_16_seconds(w):
    """RFC 6298 §5.5; then it is given up, and the entry with it."""
    with held(w):
        before = w.server.counter("tcp_half_open")
        flow = w.flow(PORT)
        flow.send(SYN)
        first = flow.got()
        second = 1000000
        found = seen_after(w, flow, [second * n for n in (1, 2, 4, 8, 16)],
                           lambda s: s.flags == SYN | ACK and s.seq == first.seq)
        w.server.call("clock", f"+{40 * second}")
        return (found, len([s for s in flow.all() if s.flags & SYN]),
                w.server.counter("tcp_half_open") <= before)


def lost_data_goes_again_on_time(w):
    """No round trip to speak of: a tail probe at 200 ms, a time-out 200 ms later, and then twice as long."""
    with held(w):
        flow, number = w.opened(PORT)
        w.server.send(number, b"again")
        flow.got(lambda s: s.payload)
        found = seen_after(w, flow, (200000, 200000, 400000, 800000),
                           lambda s: s.payload == b"again")
        w.server.abort(number)
    return found


def ack_is_delayed_by_40_ms(w):
    """And no longer than for the second full segment."""
    with held(w):
        flow, number = w.opened(PORT)
        flow.send(ACK | PSH, b"one")
        found = seen_after(w, flow, (40000,), lambda s: s.ack == flow.snd)
        flow.send(ACK, bytes(1000))
        none = flow.answers()
        flow.send(ACK, bytes(1000))
        at_once = flow.answers()
        w.server.abort(number)
    return found, none, at_once


def keepalive_comes_on_time(w):
    with held(w):
        flow, number = w.opened(PORT)
        found = seen_after(w, flow, (KEEPALIVE_S * 1000000,), lambda s: s.flags == ACK and s.seq == flow.rcv - 1)
        w.server.abort(number)
    return found


def time_wait_lasts_a_minute(w):
    with held(w):
        flow, number = w.opened(PORT)
        w.server.shutdown(number)
        flow.rcv = flow.got(lambda s: s.flags & FIN).end
        flow.send(FIN | ACK)
        flow.all()
        w.server.close(number)
        words = []
        for seconds in (59, 61):  # the FIN that comes again begins it anew
            w.server.call("clock", f"+{seconds * 1000000}")
            flow.send(FIN | ACK, seq=flow.snd - 1)
            words += flow.answers()
    return words


def large_segments_that_vanish_become_smaller(w):
    """RFC 4821 §7.7, where no ICMP tells."""
    flow, number = w.opened(PORT)
    w.server.send(number, bytes(3 * w.mss))
    sizes = set()
    for _ in range(100):
        w.server.call("clock", "+100000")
        sizes |= {len(s.payload) for s in flow.all() if s.payload}
        if min(sizes) < w.mss:
            break
    flow.send(ACK, ack=flow.rcv)
    w.server.abort(number)
    return max(sizes), min(sizes)


def full_segments_are_tried_again_after_ten_minutes(w):
    flow, number = w.opened(PORT)
    w.server.send(number, bytes(w.mss))
    segment = flow.got(lambda s: s.payload)
    w.peer.send_packet(ip.icmp_error(w.peer.address, w.peer.server, segment.packet, ip.TOO_BIG, 1300))
    flow.take(w.mss, first=flow.got(lambda s: s.payload and len(s.payload) < w.mss))
    for _ in range(65):  # in steps, that keepalive and ARP be answered
        w.server.call("clock", "+10000000")
        flow.send(ACK)
        flow.all()
    w.server.send(number, bytes(w.mss))
    size = len(flow.got(lambda s: s.payload).payload)
    w.server.abort(number)
    return size


def nowhere_to_go_is_told_at_once(w):
    v4 = len(w.peer.address) == 4
    far, group = ("198.51.100.1", "224.0.0.1") if v4 else ("2001:db8::1", "ff02::1")
    return [outcome(lambda words=words: w.server.connect(*words)) for words in
            ((far, 25), (group, 25), (w.server.net.server, 25), ("127.0.0.1" if v4 else "::1", 25),
             ("fd79::77" if v4 else "10.79.0.77", 25))]


def silent_neighbour_times_out(w):
    address = "10.79.0.99" if len(w.peer.address) == 4 else "fd79::99"
    number = w.server.connect(address, 25)
    for _ in range(40):
        w.server.call("clock", "+10000000")
    end = outcome(lambda: w.server.established(number, 0))
    w.server.close(number)
    return end


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


def lost_third_segment_under_cookies_is_asked_for(w):
    """The server speaks first, so a peer whose ACK got lost would wait for ever: the SYN-ACK comes again."""
    flows = [w.flow(PORT) for _ in range(HALF_OPEN + 1)]  # of many more some would not be reminded
    for flow in flows:
        flow.send(SYN, options=OPTIONS)
    flow = flows[-1]
    first = flow.got(lambda s: s.flags == SYN | ACK)
    flow.all()
    for _ in range(10):
        w.server.call("clock", "+1000000")
        again = [s for s in flow.all() if s.flags == SYN | ACK]
        if again:
            break
    flow.rcv = again[0].end
    flow.send(ACK)
    number = w.server.accept()
    w.server.send(number, b"220 ready")
    data = flow.take(9)
    w.server.abort(number)
    w.server.call("clock", f"+{120 * 1000000}")
    w.settle()
    w.peer.arrived.clear()
    return again[0].seq == first.seq, data


def peer_that_vanishes_is_found_by_keepalive(w):
    flow, number = w.opened(PORT)
    probes, end = 0, "open"
    while end == "open" and probes < 100:
        w.server.call("clock", "+5000000")  # in steps, that ARP be answered
        probes += len([s for s in flow.all() if s.flags == ACK and s.seq == flow.rcv - 1])
        end = fate(w, number)
    w.server.close(number)
    return probes > 1, end


OURS = True
CASES = [
    (next_number_is_ours_to_set, (True, True, True)),
    (syn_ack_goes_again_after_1_2_4_8_and_16_seconds, ([(0, 1)] * 5, 0, True)),
    (lost_data_goes_again_on_time, [(0, 1)] * 4),
    (ack_is_delayed_by_40_ms, ([(0, 1)], [], ["ACK acks +0"])),
    (keepalive_comes_on_time, [(0, 1)]),
    (time_wait_lasts_a_minute, ["ACK acks +0", "RST"]),
    (large_segments_that_vanish_become_smaller, lambda w: (w.mss, 1240 if w.mss == 1460 else 1220)),
    (full_segments_are_tried_again_after_ten_minutes, lambda w: w.mss),
    (nowhere_to_go_is_told_at_once, ["ENETUNREACH"] * 5),
    (silent_neighbour_times_out, "ETIMEDOUT"),
    (connection_without_answer_times_out, "ETIMEDOUT"),
    (close_survives_what_still_comes, (b"554 no\r\n", [])),
    (cookies_answer_a_flood_and_end, lambda w: {
        "answered": 100, "half open": HALF_OPEN, "full size": w.mss - 12,
        "late": b"the third segment was lost", "forged": ["RST"], "engaged": 1, "released": 1, "accepted": 2,
        "sent": 100 - HALF_OPEN}),
    (lost_third_segment_under_cookies_is_asked_for, (True, b"220 ready")),
    (peer_that_vanishes_is_found_by_keepalive, (True, "ETIMEDOUT")),
]

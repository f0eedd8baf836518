"""Opening: what is offered and answered, by either side."""

from labkit import packets
from labkit.packets import ACK, FIN, PSH, RST, SYN, names
from labkit.scripts import OPTIONS

from . import PORT, fate, outcome


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


def opens_to_a_peer(w):
    number = w.server.connect(w.peer_address, 2525)
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
    number = w.server.connect(w.peer_address, 2526)
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
    number = w.server.connect(w.peer_address, 2527)
    syn = w.peer.wait(lambda s: s.dport == 2527 and s.flags == SYN)
    flow = w.flow(syn.sport)
    flow.sport = 2527
    flow.send(SYN | ACK, ack=syn.end + 5)
    answer = [names(s.flags) for s in flow.all() if not s.flags & SYN]
    w.server.close(number)
    return answer


def both_open_at_once(w):
    number = w.server.connect(w.peer_address, 2528)
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


def data_with_the_syn_waits_for_the_handshake(w):
    """Without a cookie of RFC 7413 it is not taken; the peer sends it again."""
    flow = w.flow(PORT)
    flow.send(SYN, b"EHLO\r\n", options=OPTIONS)
    answer = flow.got()
    start = (answer.ack - flow.snd) % packets.MOD
    flow.snd, flow.rcv = answer.ack, answer.end
    flow.send(ACK | PSH, b"EHLO\r\n")
    number = w.server.accept()
    data = w.server.recv(number, 100)
    w.server.abort(number)
    return start == packets.MOD - 6, data


def fin_with_the_third_segment_is_taken(w):
    flow = w.flow(PORT)
    flow.send(SYN, options=OPTIONS)
    flow.rcv = flow.got().end
    flow.send(ACK | FIN, b"QUIT")
    number = w.server.accept()
    data, end = w.server.recv(number, 100), w.server.recv(number, 100)
    w.server.abort(number)
    return data, end


def syn_ack_that_comes_again_is_acknowledged(w):
    """Our last ACK got lost."""
    number, flow = active(w)
    flow.send(SYN | ACK, options=OPTIONS)
    w.server.established(number)
    flow.all()
    flow.send(SYN | ACK, seq=flow.snd - 1, options=OPTIONS)
    found = flow.answers(), fate(w, number)
    w.server.abort(number)
    return found


def data_with_the_syn_ack_waits(w):
    number, flow = active(w)
    flow.send(SYN | ACK, b"220 x\r\n", options=OPTIONS)
    w.server.established(number)
    acked = (flow.got().ack - flow.snd) % packets.MOD
    flow.send(ACK | PSH, b"220 x\r\n", seq=flow.snd - 7)
    data = w.server.recv(number, 100)
    w.server.abort(number)
    return acked == packets.MOD - 7, data


def active(w):
    """An open of the server's that has sent its SYN."""
    port = w.port()
    number = w.server.connect(w.peer_address, port)
    syn = w.peer.wait(lambda s: s.dport == port and s.flags == SYN)
    flow = w.flow(syn.sport, sport=port)
    flow.rcv = syn.end
    return number, flow


def both_open_at_once_and_repeat(w):
    """RFC 9293 figure 8, whose SYN-ACKs cross."""
    number, flow = active(w)
    flow.send(SYN, ack=0, options=OPTIONS)
    flow.got(lambda s: s.flags & SYN and s.flags & ACK)
    flow.send(SYN | ACK, seq=flow.snd - 1, options=OPTIONS)
    w.server.established(number)
    flow.send(ACK | PSH, b"hello")
    data = w.server.recv(number, 100)
    w.server.abort(number)
    return data


def peers_from_every_side_are_told_apart(w):
    """Ports apart by one, the same numbers."""
    flows = [w.flow(PORT) for _ in range(20)]
    for flow in flows:
        flow.open()
    numbers = [w.server.accept() for _ in flows]
    for i, flow in enumerate(flows):
        flow.send(ACK | PSH, bytes([65 + i]))
    found = {w.server.recv(number, 10) for number in numbers}
    for number in numbers:
        w.server.abort(number)
    return len(found)


CASES = [
    (handshake_answers_every_option,
     lambda w: {"options": [2, 3, 4, 8], "mss": w.mss, "echo": 12345, "window not scaled": True}),
    (handshake_offers_nothing_that_was_not_offered, [2]),
    (syn_ack_comes_again_for_the_same_syn, True),
    (third_segment_with_a_wrong_ack_is_reset, True),
    (rst_ends_a_half_open_connection, ["RST"]),
    (data_with_the_third_segment_is_taken, b"EHLO\r\n"),
    (opens_to_a_peer, ([2, 3, 4], b"hello")),
    (refused_by_rst, ("EAGAIN", "ECONNREFUSED")),
    (wrong_ack_to_our_syn_is_reset, ["RST"]),
    (both_open_at_once, (True, b"at once")),
    (data_with_the_syn_waits_for_the_handshake, (True, b"EHLO\r\n")),
    (fin_with_the_third_segment_is_taken, (b"QUIT", b"")),
    (syn_ack_that_comes_again_is_acknowledged, (["ACK acks +0"], "open")),
    (data_with_the_syn_ack_waits, (True, b"220 x\r\n")),
    (both_open_at_once_and_repeat, b"hello"),
    (peers_from_every_side_are_told_apart, 20),
]

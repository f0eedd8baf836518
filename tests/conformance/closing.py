"""The end: FIN by either or both, TIME-WAIT, abort."""

from labkit.packets import ACK, FIN, PSH, RST, SYN, names

from . import PORT, Differs, fate, outcome


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


def half_close_lets_the_other_half_go_on(w):
    """The peer has said its last word, and gets a long answer."""
    flow, number = w.opened(PORT)
    flow.send(FIN | ACK, b"GET")
    request, end = w.server.recv(number, 100), w.server.recv(number, 100)
    w.server.send(number, bytes(50000))
    data = flow.take(50000)
    w.server.shutdown(number)
    fin = flow.got(lambda s: s.flags & FIN)
    flow.rcv = fin.end
    flow.send(ACK)
    flow.send(ACK)  # nothing is left: RST
    return request, end, len(data), names(flow.got(lambda s: s.flags & RST).flags)


def fin_is_sent_again_until_acknowledged(w):
    flow, number = w.opened(PORT)
    w.server.shutdown(number)
    first = flow.got(lambda s: s.flags & FIN)
    second = flow.got(lambda s: s.flags & FIN)
    w.server.abort(number)
    return first.seq == second.seq


def fin_rides_on_the_last_data(w):
    flow, number = w.opened(PORT)
    flow.send(ACK | PSH, b"QUIT")
    w.server.recv(number, 100)
    w.server.send(number, b"221 bye")
    w.server.shutdown(number)
    last = None
    while last is None or not last.flags & FIN:
        last = flow.got(lambda s: s.payload or s.flags & FIN)
    flow.rcv = last.end
    flow.send(FIN | ACK)
    ack = flow.got(lambda s: s.ack == flow.snd)
    end = w.server.recv(number, 100)
    w.server.close(number)
    return names(ack.flags), end


def fin_crosses_data(w):
    """Each side's last words meet on the way: both are heard."""
    flow, number = w.opened(PORT)
    w.server.send(number, b"from the server")
    w.server.shutdown(number)
    flow.send(FIN | ACK, b"from the peer")
    data, end = w.server.recv(number, 100), w.server.recv(number, 100)
    there = flow.take(15)
    w.server.close(number)
    return data, end, there


def reset_after_half_a_reply_tells_the_program(w):
    flow, number = w.opened(PORT)
    w.server.send(number, bytes(60000))
    flow.got(lambda s: s.payload)
    flow.all()
    flow.send(RST, seq=flow.snd)
    flow.all()
    found = fate(w, number), outcome(lambda: w.server.send(number, b"more"))
    w.server.abort(number)
    return found


def abort_answers_what_still_comes_with_rst(w):
    flow, number = w.opened(PORT)
    w.server.abort(number)
    flow.got(lambda s: s.flags & RST)
    flow.send(ACK | PSH, b"anybody there?")
    return flow.answers()


def unread_data_and_abort_leave_nothing(w):
    flow, number = w.opened(PORT)
    for _ in range(5):
        flow.send(ACK | PSH, bytes(1000))
    flow.all()
    w.server.abort(number)
    return names(flow.got(lambda s: s.flags & RST).flags & RST)


def connection_reset_in_the_backlog_is_still_accepted(w):
    """Its program hears of it; the next in line is another."""
    flow = w.flow(PORT)
    flow.open()
    flow.send(RST, seq=flow.snd)
    flow.all()
    other = w.flow(PORT)
    other.open()
    other.all()
    ends = []
    while isinstance(number := outcome(lambda: w.server.accept(0)), int):
        ends.append(fate(w, number))
        w.server.abort(number)
    return ends[-1]


CASES = [
    (peer_closes_first, ("ACK acks +0", b"", b"bye", ["RST"])),
    (server_closes_first, (b"still talking", "ACK", b"", ["ACK acks +0"])),
    (both_close_at_once, (["ACK acks +0"], b"", ["ACK acks +0"])),
    (time_wait_yields_to_a_newer_syn, b"second life"),
    (time_wait_refuses_an_older_syn, ["ACK acks +0"]),
    (abort_sends_rst_at_the_next_number, True),
    (half_close_lets_the_other_half_go_on, (b"GET", b"", 50000, "RST")),
    (fin_is_sent_again_until_acknowledged, True),
    (fin_rides_on_the_last_data, ("ACK", b"")),
    (fin_crosses_data, (b"from the peer", b"", b"from the server")),
    (reset_after_half_a_reply_tells_the_program,
     Differs(("ECONNRESET", "ECONNRESET"), ("ECONNRESET", "EPIPE"), "the kernel tells of a reset once")),
    (abort_answers_what_still_comes_with_rst, ["RST"]),
    (unread_data_and_abort_leave_nothing, "RST"),
    (connection_reset_in_the_backlog_is_still_accepted, "open"),
]

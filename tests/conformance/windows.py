"""Windows of both sides: small, shut, taken back, opened again."""

from labkit.packets import ACK, MOD, PSH

from . import PORT, fate, outcome


def window_closes_and_opens_again(w):
    """A receiver that does not read: window 0, probes answered and not taken; reading opens it."""
    flow, number = w.opened(PORT)
    sent, window, acked = 0, None, None
    while window != 0:
        assert sent < 20 << 20, "the window never closes"
        flow.send(ACK | PSH, bytes(1000))
        sent += 1000
        for answer in flow.all():
            window, acked = answer.window, answer.ack
    flow.snd = acked
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
    probe = flow.got()
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


def window_that_shrinks_is_obeyed(w):
    """Taken back under what is under way: nothing beyond the new edge, and no end of the world."""
    flow, number = w.opened(PORT, window=20)  # scaled by 7
    w.server.send(number, bytes(4000) + b"the end")
    first = flow.got(lambda s: s.payload)
    flow.all()
    edge = first.seq + 500
    flow.rcv = first.seq
    flow.send(ACK, window=3)
    beyond = [s for s in flow.all() if s.payload and s.end - edge > 0 and s.seq - first.seq > 2560]
    data = flow.take(4007, window=500)
    w.server.abort(number)
    return beyond, data[-7:]


def lost_window_update_is_asked_for(w):
    """The window shuts, its reopening never comes: a probe finds it out."""
    flow, number = w.opened(PORT, window=10)
    w.server.send(number, bytes(3000))
    data = 0
    while data < 1280:
        segment = flow.got(lambda s: s.payload and s.seq == flow.rcv)
        data += len(segment.payload)
        flow.rcv = segment.end
    flow.send(ACK, window=0)
    probe = flow.got()  # the window opens meanwhile, and nobody says so
    flow.send(ACK, window=500)
    rest = flow.got(lambda s: s.payload and len(s.payload) > 1)
    w.server.abort(number)
    return len(probe.payload) <= 1, rest is not None


def old_window_is_not_believed(w):
    """RFC 9293 §3.10.7.4, SND.WL1: a segment from before says nothing of the window now."""
    flow, number = w.opened(PORT, window=500)
    flow.send(ACK | PSH, b"new", window=500)
    w.server.recv(number, 10)
    flow.all()
    flow.send(ACK, seq=flow.snd - 3, window=0)  # out of date, and out of the window
    flow.all()
    w.server.send(number, b"goes")
    data = flow.got(lambda s: s.payload)
    w.server.abort(number)
    return data is not None


def probe_of_the_peer_is_answered(w):
    """Keepalive and window probes: old numbers, with an octet or none."""
    found = []
    for payload in (b"", b"\0"):
        flow, number = w.opened(PORT)
        flow.send(ACK, payload, seq=flow.snd - 1)
        found.append((flow.answers(), fate(w, number)))
        w.server.abort(number)
    return found


def window_of_one_octet_moves_everything(w):
    flow = w.flow(PORT)
    flow.open(b"", window=1)  # not scaled
    number = w.server.accept()
    w.server.send(number, b"drop by drop")
    data = b""
    while len(data) < 12:
        segment = flow.got(lambda s: s.payload and s.seq == flow.rcv)
        data += segment.payload
        flow.rcv = segment.end
        flow.send(ACK, window=12 if len(data) > 2 else 1)
    w.server.abort(number)
    return data


CASES = [
    (window_closes_and_opens_again, (True, True, True)),
    (zero_window_of_the_peer_is_probed, (True, True)),
    (small_window_is_not_overrun, True),
    (window_that_shrinks_is_obeyed, ([], b"the end")),
    (lost_window_update_is_asked_for, (True, True)),
    (old_window_is_not_believed, True),
    (probe_of_the_peer_is_answered, [(["ACK acks +0"], "open")] * 2),
    (window_of_one_octet_moves_everything, b"drop by drop"),
]

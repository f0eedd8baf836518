"""Data: in order, out of it, twice, lost."""

from labkit import packets
from labkit.packets import ACK, FIN, MOD, PSH, URG

from . import PORT, fate
from .numbers import at_each


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
    again = flow.got(lambda s: s.payload and s.seq == first.seq)
    w.server.abort(number)
    return again is not None


def overlap_with_other_content_gives_one_of_them(w):
    """What was read stays; what was not may be either, but every octet once."""
    flow, number = w.opened(PORT)
    flow.send(ACK, b"ddd", seq=flow.snd + 3)
    flow.all()
    flow.send(ACK, b"aaaXXX", seq=flow.snd)
    data = w.server.recv(number, 100)
    flow.snd += 6
    flow.send(ACK, b"YYYggg", seq=flow.snd - 3)
    rest = w.server.recv(number, 100)
    w.server.abort(number)
    return data in (b"aaaddd", b"aaaXXX"), rest


def pieces_in_any_order_give_the_whole(w):
    """Backwards, then overlapping by halves."""
    flow, number = w.opened(PORT)
    text = bytes(range(65, 91)) * 4
    for at in [*range(len(text) - 8, 0, -8), *range(4, len(text) - 8, 8), 0]:
        flow.send(ACK, text[at:at + 8], seq=flow.snd + at)
    flow.all()
    data = b""
    while len(data) < len(text):
        data += w.server.recv(number, 1000)
    w.server.abort(number)
    return data == text


def duplicate_is_reported(w):
    """RFC 2883: the first block tells what came twice."""
    flow, number = w.opened(PORT)
    flow.send(ACK, b"abcdef")
    w.server.recv(number, 100)
    flow.all()
    flow.send(ACK, b"abcdef", seq=flow.snd - 6)
    block = flow.got(lambda s: 5 in s.options).options[5]
    w.server.abort(number)
    return [int.from_bytes(block[i:i + 4], "big") - flow.snd for i in (0, 4)]


def urgent_data_stays_in_the_stream(w):
    """RFC 6093: the pointer, sane or not, takes nothing out."""
    found = []
    for pointer in (0, 1, 4, 65535):
        flow, number = w.opened(PORT)
        flow.send(ACK | URG | PSH, b"data", urgent=pointer)
        flow.send(ACK | PSH, b"more")
        data = b""
        while len(data) < 8:
            data += w.server.recv(number, 100)
        found.append(data)
        w.server.abort(number)
    return found


def fin_with_data_after_a_hole_waits(w):
    flow, number = w.opened(PORT)
    flow.send(ACK | FIN, b"cc", seq=flow.snd + 4)
    flow.send(ACK, b"bb", seq=flow.snd + 2)
    flow.all()
    early = fate(w, number)
    flow.send(ACK, b"aa", seq=flow.snd)
    data = b""
    while len(data) < 6:
        data += w.server.recv(number, 100)
    end = w.server.recv(number, 100)
    w.server.abort(number)
    return early, data, end


def data_behind_the_fin_is_dropped(w):
    flow, number = w.opened(PORT)
    flow.send(ACK | FIN, b"last")
    flow.send(ACK | PSH, b"after the end", seq=flow.snd)
    data, end = w.server.recv(number, 100), w.server.recv(number, 100)
    flow.all()
    found = data, end, fate(w, number)
    w.server.abort(number)
    return found


def one_octet_at_a_time_is_taken(w):
    flow, number = w.opened(PORT)
    text = bytes(range(256)) * 2
    for i in range(len(text)):
        flow.send(ACK | PSH, text[i:i + 1])
    flow.all()
    data = b""
    while len(data) < len(text):
        data += w.server.recv(number, 65536)
    w.server.abort(number)
    return data == text


def partial_ack_is_believed(w):
    """In the middle of a segment."""
    flow, number = w.opened(PORT)
    w.server.send(number, b"0123456789")
    segment = flow.got(lambda s: s.payload)
    flow.rcv = segment.seq + 4
    flow.send(ACK)
    again = flow.got(lambda s: s.payload)
    w.server.abort(number)
    return again.seq == segment.seq + 4, again.payload


def selective_ack_keeps_what_arrived_from_going_again(w):
    flow, number = w.opened(PORT)
    w.server.send(number, bytes(5 * w.mss))
    first = flow.got(lambda s: s.payload)
    sent = [first, *[s for s in flow.all() if s.payload]]
    size = len(first.payload)
    for i in range(2, 5):
        flow.send(ACK, ack=first.seq, options=b"\1\1" + packets.sack((first.seq + size, first.seq + i * size)))
    again = {(s.seq - first.seq) // size for s in flow.all() if s.payload}
    w.server.abort(number)
    return len(sent) >= 5, again


def ack_in_the_future_moves_nothing(w):
    """A forged ACK must not free what was not delivered."""
    flow, number = w.opened(PORT)
    w.server.send(number, b"precious")
    segment = flow.got(lambda s: s.payload)
    flow.send(ACK, ack=segment.end + 1)
    flow.all()
    again = flow.got(lambda s: s.payload)
    w.server.abort(number)
    return again.payload


CASES = [
    (data_outside_the_window_is_acknowledged_and_dropped,
     [(d, ["ACK acks +0"], "open") for d in (-5, -100000, 10000000)]),
    (what_is_partly_new_is_taken_in_part, b"abcdefghi"),
    (out_of_order_data_is_kept_and_told_of, (b"aaa", b"bbbccc", [6, 9])),
    (fin_waits_for_what_is_missing, ("open", b"aaabbb", b"")),
    (lost_data_is_sent_again, (True, b"again")),
    (three_duplicate_acks_bring_the_first_segment_back, True),
    (overlap_with_other_content_gives_one_of_them, (True, b"ggg")),
    (pieces_in_any_order_give_the_whole, True),
    (duplicate_is_reported, [-6, 0]),
    (urgent_data_stays_in_the_stream, [b"datamore"] * 4),
    (fin_with_data_after_a_hole_waits, ("open", b"aabbcc", b"")),
    (data_behind_the_fin_is_dropped, (b"last", b"", "ended")),
    (one_octet_at_a_time_is_taken, True),
    (partial_ack_is_believed, (True, b"456789")),
    (selective_ack_keeps_what_arrived_from_going_again, (True, {0})),
    (ack_in_the_future_moves_nothing, b"precious"),
]

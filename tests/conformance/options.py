"""Options, in order and malformed."""

from labkit import packets
from labkit.packets import ACK, PSH, RST, SYN, names
from labkit.scripts import OPTIONS

from . import PORT, fate, outcome


def syn_with_broken_options_is_answered(w):
    found = []
    for options in (b"\x02\x00\x00\x00", b"\x02\x01\x00\x00", b"\x03\x28\x07\x00", b"\xfd\xff\x00\x00",
                    b"\x02\x04\x00\x00", b"\x01\x01\x01\x02", b"\x03\x03\xff\x00"):
        flow = w.flow(PORT)
        flow.send(SYN, options=options)
        found += [names(s.flags) for s in flow.all()]
        flow.send(RST)
    return found


def old_timestamp_is_refused(w):
    flow = w.flow(PORT)
    flow.clock = 100000
    flow.open(OPTIONS + packets.timestamps(100000))
    number = w.server.accept()
    flow.clock = 100001
    flow.send(ACK, b"one")
    first = w.server.recv(number, 10)
    flow.got(lambda s: s.ack == flow.snd)  # perhaps late
    flow.clock = 90000
    flow.send(ACK, b"old", seq=flow.snd)
    answer = flow.answers()
    found = first, answer, fate(w, number)
    w.server.abort(number)
    return found


NONSENSE = {
    "no length": b"\xfd",
    "length 0": b"\xfd\0",
    "length 1": b"\xfd\1",
    "longer than the header": b"\xfd\x28",
    "the longest length": b"\xfd\xff",
    "timestamps too short": b"\x08\x06\0\0\0\1",
    "timestamps too long": b"\x08\x0c" + bytes(10),
    "timestamps not agreed on": packets.timestamps(7, 8),
    "MSS where there is no SYN": packets.mss(100),
    "window scale where there is no SYN": packets.wscale(9),
    "SACK permitted where there is no SYN": packets.SACK_OK,
    "SACK of no block": b"\5\2",
    "SACK of half a block": b"\5\6" + bytes(4),
    "SACK of one and a half": b"\5\x0e" + bytes(12),
    "SACK of five, cut short": b"\5\x2a" + bytes(10),
    "end, then nonsense": b"\0\xfd\0\xff",
    "no operation up to the end": b"\1" * 40,
    "an option nobody knows": b"\xfd\x0a" + bytes(8),
}


def data_beside_nonsense_is_taken(w):
    """Options that cannot be read are passed over, not the segment."""
    found = {}
    for name, options in NONSENSE.items():
        flow, number = w.opened(PORT)
        flow.send(ACK | PSH, b"data", options=options)
        found[name] = outcome(lambda number=number: w.server.recv(number, 100))
        w.server.abort(number)
    return found


def sack_of_what_was_not_sent_is_ignored(w):
    """Below, above, across, turned round, the whole space: nothing is believed, nothing sent again."""
    found = {}
    blocks = {"below": (-3000, -1000), "above": (7000, 9000), "across the end": (2000, 90000),
              "turned round": (3000, 2000), "empty": (2000, 2000), "nearly everything": (2000, 1000 + packets.MOD)}
    for name, (start, end) in blocks.items():
        flow, number = w.opened(PORT)
        w.server.send(number, bytes(3000))
        flow.rcv = flow.got(lambda s: s.payload).seq
        flow.all()
        for _ in range(2):
            flow.send(ACK, options=b"\1\1" + packets.sack((flow.rcv + start, flow.rcv + end)))
        again = [s for s in flow.all() if s.payload and s.seq == flow.rcv]
        flow.send(ACK, ack=flow.rcv + 3000)
        found[name] = len(again), fate(w, number)
        w.server.abort(number)
    return found


def window_scale_over_14_is_14(w):
    """RFC 7323 §2.3; a window of 1 then is 16 KiB."""
    flow = w.flow(PORT)
    flow.open(packets.mss(1000) + packets.SACK_OK + packets.wscale(15), window=1)
    number = w.server.accept()
    w.server.send(number, bytes(60000))
    data = flow.take(10000, window=1)
    flow.all()
    w.server.abort(number)
    return len(data) >= 10000


def tiny_mss_is_not_followed_down_to_nothing(w):
    """RFC 5961 has no word for it, kernels a floor: 48 octets there, 88 here."""
    found = {}
    for value in (1, 40):
        flow = w.flow(PORT)
        flow.open(packets.mss(value))
        number = w.server.accept()
        w.server.send(number, bytes(300))
        segment = flow.got(lambda s: s.payload)
        found[value] = 36 <= len(segment.payload) <= 88
        flow.take(300, first=segment)
        w.server.abort(number)
    return found


def small_mss_is_kept(w):
    flow = w.flow(PORT)
    flow.open(packets.mss(600))
    number = w.server.accept()
    w.server.send(number, bytes(3000))
    sizes = {len(s.payload) for s in flow.all()}
    w.server.abort(number)
    return max(sizes)


def without_mss_segments_are_of_the_default(w):
    flow = w.flow(PORT)
    flow.open(b"")
    number = w.server.accept()
    w.server.send(number, bytes(3000))
    size = max(len(s.payload) for s in flow.all())
    w.server.abort(number)
    return size


def timestamps_are_echoed(w):
    flow = w.flow(PORT)
    flow.clock = 5000
    flow.open(OPTIONS + packets.timestamps(5000))
    number = w.server.accept()
    flow.clock = 5555
    flow.send(ACK | PSH, b"x")
    w.server.recv(number, 10)
    w.server.send(number, b"y")
    echo = int.from_bytes(flow.got(lambda s: s.payload).options[8][4:], "big")
    w.server.abort(number)
    return echo


CASES = [
    (syn_with_broken_options_is_answered, ["SYN|ACK"] * 7),
    (old_timestamp_is_refused, (b"one", ["ACK acks +0"], "open")),
    (data_beside_nonsense_is_taken, {name: b"data" for name in NONSENSE}),
    (sack_of_what_was_not_sent_is_ignored,
     {name: (0, "open") for name in ("below", "above", "across the end", "turned round", "empty",
                                     "nearly everything")}),
    (window_scale_over_14_is_14, True),
    (tiny_mss_is_not_followed_down_to_nothing, {1: True, 40: True}),
    (small_mss_is_kept, 600),
    (without_mss_segments_are_of_the_default, lambda w: 536 if w.mss == 1460 else 1220),
    (timestamps_are_echoed, 5555),
]

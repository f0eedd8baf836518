"""Every state of RFC 9293 §3.3.2 under every kind of segment (§3.10.7).

Each cell brings a fresh connection into the state, sends one segment, and tells what was answered and
what became of the connection.
"""

from labkit.packets import ACK, FIN, PSH, RST, SYN
from labkit.scripts import OPTIONS

from . import PORT, Differs, fate, outcome

FAR = 10000000


# --- into a state: the flow, and the connection's number where a program has it

def syn_sent(w):
    port = w.port()
    number = w.server.connect(w.peer_address, port)
    syn = w.peer.wait(lambda s: s.dport == port and s.flags == SYN)
    flow = w.flow(syn.sport, sport=port)
    flow.rcv, flow.due = syn.end, syn
    return flow, number


def syn_received(w):
    flow = w.flow(PORT)
    flow.send(SYN, options=OPTIONS)
    flow.rcv = flow.got().end
    return flow, None


def established(w):
    return w.opened(PORT)


def fin_wait_1(w):
    flow, number = w.opened(PORT)
    w.server.shutdown(number)
    flow.due = flow.got(lambda s: s.flags & FIN)
    return flow, number


def fin_wait_2(w):
    flow, number = fin_wait_1(w)
    flow.rcv = flow.due.end
    flow.send(ACK)
    return flow, number


def close_wait(w):
    flow, number = w.opened(PORT)
    flow.send(FIN | ACK)
    flow.got(lambda s: s.ack == flow.snd)
    return flow, number


def closing(w):
    flow, number = fin_wait_1(w)
    flow.send(FIN | ACK)
    flow.got(lambda s: s.ack == flow.snd)
    return flow, number


def last_ack(w):
    flow, number = close_wait(w)
    w.server.shutdown(number)
    flow.due = flow.got(lambda s: s.flags & FIN)
    return flow, number


def time_wait(w):
    flow, number = fin_wait_2(w)
    flow.send(FIN | ACK)
    flow.got(lambda s: s.ack == flow.snd)
    return flow, number


# --- one segment, by its distance from the number that is expected

SEGMENTS = {
    "RST": lambda f: f.send(RST, seq=f.snd),
    "RST with ACK": lambda f: f.send(RST | ACK, seq=f.snd),
    "RST in the window": lambda f: f.send(RST, seq=f.snd + 1),
    "RST before it": lambda f: f.send(RST, seq=f.snd - 1000),
    "RST beyond it": lambda f: f.send(RST, seq=f.snd + FAR),
    "SYN": lambda f: f.send(SYN, seq=f.snd),
    "SYN in the window": lambda f: f.send(SYN, seq=f.snd + 1000),
    "SYN before it": lambda f: f.send(SYN, seq=f.snd - 1000),
    "SYN beyond it": lambda f: f.send(SYN, seq=f.snd + FAR),
    "SYN with ACK": lambda f: f.send(SYN | ACK, seq=f.snd, options=OPTIONS),
    "ACK": lambda f: f.send(ACK, seq=f.snd),
    "ACK of what was not sent": lambda f: f.send(ACK, seq=f.snd, ack=f.rcv + 100000),
    "ACK of long ago": lambda f: f.send(ACK, seq=f.snd, ack=f.rcv - FAR),
    "ACK before the window": lambda f: f.send(ACK, seq=f.snd - 1000),
    "no flag": lambda f: f.send(0, seq=f.snd),
    "data": lambda f: f.send(ACK | PSH, b"abc", seq=f.snd),
    "data without ACK": lambda f: f.send(PSH, b"abc", seq=f.snd),
    "data that acknowledges what was not sent": lambda f: f.send(ACK | PSH, b"abc", seq=f.snd, ack=f.rcv + 100000),
    "data before the window": lambda f: f.send(ACK | PSH, b"abc", seq=f.snd - 3),
    "data beyond the window": lambda f: f.send(ACK | PSH, b"abc", seq=f.snd + FAR),
    "FIN": lambda f: f.send(FIN | ACK, seq=f.snd),
    "FIN without ACK": lambda f: f.send(FIN, seq=f.snd),
    "FIN with data": lambda f: f.send(FIN | ACK | PSH, b"abc", seq=f.snd),
    "FIN out of order": lambda f: f.send(FIN | ACK, seq=f.snd + 1),
    "FIN before the window": lambda f: f.send(FIN | ACK, seq=f.snd - 1),
}


# --- what came of it

def read(w, number):
    """What a program reads: octets, then open, ended or an error."""
    first = fate(w, number)
    return [first.decode(), fate(w, number)] if isinstance(first, bytes) else [first]


def answers(flow):
    """What was answered, but for repetitions of the SYN or FIN that waits for its ACK."""
    due = flow.due
    return [flow.word(s) for s in flow.all()
            if not (due and s.seq == due.seq and (s.flags ^ due.flags) & ~PSH == 0)]


def accepted(w):
    number = outcome(lambda: w.server.accept(0))
    return None if number == "EAGAIN" else number


def half_open(w, flow):
    """Does what no program has taken still take the end of its handshake?"""
    flow.send(ACK, seq=flow.snd)
    w.settle()
    number = accepted(w)
    if number:
        w.server.abort(number)
    return "half open" if number else "gone"


def remembered(flow):
    """In TIME-WAIT a FIN that comes again is acknowledged."""
    flow.send(FIN | ACK, seq=flow.snd - 1)
    return "TIME-WAIT" if flow.word(flow.got()) == "ACK acks +0" else "gone"


def cell(w, reach, send):
    flow, number = reach(w)
    w.settle()
    w.peer.arrived.clear()
    send(flow)
    told = answers(flow)
    number = number or accepted(w)
    if any("SYN|ACK" in word for word in told) and reach is not syn_sent:
        then = "a new connection"
    elif reach is time_wait:
        then = remembered(flow)
    elif number:
        then = " ".join([w.server.state(number), *read(w, number)])
    else:
        then = half_open(w, flow)
    if not told and ("abc" in then or (then == "CLOSE-WAIT ended" and reach is not close_wait)):
        told = [flow.word(flow.got())]  # what was taken is acknowledged, perhaps late
    if number:
        w.server.abort(number)
    flow.send(RST, seq=flow.snd, ack=flow.rcv)
    return told, then


# --- what is to be seen

RESETS = ("RST", "RST with ACK")
ASKED_BACK = (["ACK acks +0"], (
    "RST in the window", "SYN", "SYN in the window", "SYN before it", "SYN beyond it", "SYN with ACK",
    "ACK of what was not sent", "ACK of long ago", "ACK before the window",
    "data that acknowledges what was not sent", "data before the window", "data beyond the window",
    "FIN out of order", "FIN before the window"))


def row(unmoved, reset, **special):
    """Nothing happens but for resets, what RFC 5961 asks back, and what is said of single segments."""
    told, segments = ASKED_BACK
    cells = {name: ([], unmoved) for name in SEGMENTS}
    cells.update({name: (told, unmoved) for name in segments})
    cells.update({name: ([], reset) for name in RESETS})
    cells.update({name.replace("_", " "): result for name, result in special.items()})
    return cells


def taking(state):
    """Of the states in which the peer may still send."""
    ended = {"ESTABLISHED": "CLOSE-WAIT", "FIN-WAIT-1": "CLOSING", "FIN-WAIT-2": "CLOSED"}[state]
    return row(f"{state} open", "CLOSED ECONNRESET",
               data=(["ACK acks +3"], f"{state} abc open"),
               FIN=(["ACK acks +1"], f"{ended} ended"),
               FIN_with_data=(["ACK acks +4"], f"{ended} abc ended"))


def shut(state, reset="CLOSED ended"):
    """Of those in which it has said that it will not."""
    return row(f"{state} ended", reset, FIN_out_of_order=([], f"{state} ended"))


def opening():
    cells = {name: ([], "SYN-SENT open") for name in SEGMENTS}
    cells.update({name: (["RST"], "SYN-SENT open") for name in SEGMENTS if "not sent" in name or "long ago" in name})
    for name, at in (("SYN", 1), ("SYN in the window", 1001), ("SYN before it", -999), ("SYN beyond it", FAR + 1)):
        cells[name] = [f"SYN|ACK acks {at:+d}"], "SYN-RECEIVED open"
    cells["SYN with ACK"] = ["ACK acks +1"], "ESTABLISHED open"
    cells["RST with ACK"] = [], "CLOSED ECONNREFUSED"
    return cells


def handshake(w):
    """Back to LISTEN at a SYN in the window (RFC 9293 §3.10.7.4), which kernels do with a RST."""
    ours = w.server.name == "ours"
    cells = row("half open", "gone",
                SYN=([] if ours else ["RST|ACK acks +1"], "gone"),
                SYN_in_the_window=([] if ours else ["RST|ACK acks +1001"], "gone"),
                SYN_with_ACK=([] if ours else ["RST"], "gone"),
                ACK=([], "ESTABLISHED open"),
                data=(["ACK acks +3"], "ESTABLISHED abc open"),
                FIN=(["ACK acks +1"], "CLOSE-WAIT ended"),
                FIN_with_data=(["ACK acks +4"], "CLOSE-WAIT abc ended"),
                FIN_out_of_order=(["ACK acks +0"], "ESTABLISHED open"))
    cells.update({name: (["RST"], "half open") for name in SEGMENTS if "not sent" in name or "long ago" in name})
    return cells


def waiting():
    cells = {name: (["ACK acks +0"], "TIME-WAIT") for name in SEGMENTS}
    for name in ("RST in the window", "RST before it", "RST beyond it", "ACK", "ACK of what was not sent",
                 "ACK of long ago", "no flag"):
        cells[name] = [], "TIME-WAIT"
    for name, at in (("SYN in the window", 1001), ("SYN beyond it", FAR + 1)):
        cells[name] = [f"SYN|ACK acks {at:+d}"], "a new connection"  # RFC 6191
    cells.update({name: ([], "gone") for name in RESETS})
    return cells


EXPECTED = {
    syn_sent: opening(),
    syn_received: handshake,
    established: taking("ESTABLISHED"),
    fin_wait_1: taking("FIN-WAIT-1"),
    fin_wait_2: taking("FIN-WAIT-2"),
    close_wait: Differs(shut("CLOSE-WAIT", "CLOSED ECONNRESET"), shut("CLOSE-WAIT"),
                        "the program is told of a reset even after the peer's FIN (RFC 9293 §3.10.7.4)"),
    closing: shut("CLOSING"),
    last_ack: shut("LAST-ACK"),
    time_wait: waiting(),
}


def each_segment(reach):
    def case(w):
        return {name: cell(w, reach, send) for name, send in SEGMENTS.items()}
    case.__name__ = f"each_segment_in_{reach.__name__}"
    return case


CASES = [(each_segment(reach), expected) for reach, expected in EXPECTED.items()]

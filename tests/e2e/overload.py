#!/usr/bin/python3
"""Too many connections: the longest idle makes room, then newcomers are told, then SYNs are ignored."""

import contextlib
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, smtp, tap  # noqa: E402
from labkit.proc import LabError, wait_until  # noqa: E402

SESSIONS = HALF_OPEN = 16
TCP_ROOM = SESSIONS + HALF_OPEN + SESSIONS // 16 + 64  # worker_tcp_connections()
LIMITS = {"connections": SESSIONS, "half_open": HALF_OPEN, "client_connections_crowded": 0, "linger_time": "1m"}
IDLE_S = 1.2  # longer than what anybody is allowed (SHED_IDLE_US)


def met(here, stack):
    peer = stack.enter_context(here.connect())
    return peer, peer.reply().code


def idle_make_room(t, here, stack):
    crowd = []
    for _ in range(SESSIONS):
        peer, code = met(here, stack)
        crowd.append(peer)
        if code != 220:
            t.ok(False, f"session {len(crowd)} is greeted")
    time.sleep(IDLE_S)
    crowd[0].command("EHLO a.example")  # no longer the one that was idle longest
    newcomer, code = met(here, stack)
    t.equal(code, 220, "a newcomer is greeted where all sessions are taken")
    t.equal(crowd[1].reply().code, 421, "and the one that was idle longest is closed with 421")
    t.equal(crowd[0].command("NOOP").code, 250, "one that has just said something is not")
    t.equal(here.gateway.stats()["smtp_shed"], 1, "which is counted")
    t.equal(here.gateway.stats()["tcp_drop_connections_full"], 0, "no SYN was ignored")
    return [crowd[0], *crowd[2:], newcomer]


def newcomers_are_told(t, here, stack, crowd):
    for peer in crowd:
        peer.command("EHLO a.example")
        peer.command("MAIL FROM:<a@plain.example>")
    _, code = met(here, stack)
    t.equal(code, 421, "with everybody in a transaction the newcomer is told so")
    stats = here.gateway.stats()
    t.equal((stats["smtp_sessions_full"], stats["smtp_shed"]), (1, 1), "which is counted")
    t.equal(crowd[3].command("RCPT TO:<alice@lab.example>").code, 250, "transactions go on")


def syns_are_ignored(t, here, stack):
    """Those who were refused do not go: their connections linger until TCP has no room left."""
    ignored = False
    for _ in range(TCP_ROOM):
        try:
            peer = stack.enter_context(here.connect(timeout_s=5))
        except OSError:
            ignored = True
            break
        if peer.reply().code != 421:
            raise LabError("a newcomer was not refused", "all sessions are in a transaction")
    t.ok(ignored, "at last connections are not answered at all")
    t.ok(here.gateway.stats()["tcp_drop_connections_full"] > 0, "which is counted")


def room_comes_back(t, here):
    """The client's side of all that has gone."""
    def greeted():
        with contextlib.suppress(OSError, smtp.Closed), here.connect(timeout_s=5) as peer:
            return peer.reply().code == 220
        return False
    t.ok(wait_until(greeted, 60, "a greeting"), "afterwards everything is as before")


def main():
    with tap.Tests("overload", limit_s=240) as t, lab.temporary({"limits": LIMITS}) as here:
        with contextlib.ExitStack() as stack:
            crowd = idle_make_room(t, here, stack)
            newcomers_are_told(t, here, stack, crowd)
            syns_are_ignored(t, here, stack)
        room_comes_back(t, here)


if __name__ == "__main__":
    main()

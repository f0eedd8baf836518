#!/usr/bin/python3
"""postern capture: a file that tcpdump reads, of both directions, of one peer, bounded, one at a time."""

import os
import shutil
import signal
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import gateway, lab, proc, senders, tap  # noqa: E402

HEADER = struct.Struct("=IHHiIII")
RECORD = struct.Struct("=IIII")


def frames(path):
    """(when, frame) of every packet in the file."""
    with open(path, "rb") as f:
        octets = f.read()
    magic, major, minor, _, _, snap, link = HEADER.unpack_from(octets)
    if (magic, major, minor, link) != (0xa1b2c3d4, 2, 4, 1):
        raise proc.LabError(f"{path} is no capture file", "see gateway/cli/pcap.c")
    found, at = [], HEADER.size
    while at < len(octets):
        seconds, micros, kept, on_wire = RECORD.unpack_from(octets, at)
        at += RECORD.size
        assert kept <= min(on_wire, snap) and at + kept <= len(octets)
        found.append((seconds + micros / 1e6, octets[at:at + kept]))
        at += kept
    return found


def tcp4(frame):
    """(source, destination, payload) of TCP over IPv4, None of anything else."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None
    ip = 14 + (frame[14] & 15) * 4
    end = 14 + struct.unpack_from("!H", frame, 16)[0]
    dotted = [".".join(str(o) for o in frame[at:at + 4]) for at in (26, 30)]
    return dotted[0], dotted[1], frame[ip + (frame[ip + 12] >> 4) * 4:end]


class Capture:
    """The tool, running in the background."""

    def __init__(self, here, name, *options):
        self.path = f"{here.state}/{name}.pcap"
        self.child = subprocess.Popen(
            [os.path.join(gateway.build_dir(), "postern"), "capture", "-c", here.gateway.config,
             *options, self.path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        proc.wait_until(self.is_on, 20, "the capture is on", log=here.gateway.log)

    def is_on(self):
        return os.path.exists(self.path) and os.path.getsize(self.path) >= HEADER.size

    def end(self, number=signal.SIGINT):
        if number:
            self.child.send_signal(number)
        return self.child.communicate(timeout=30)[1]


def talk(here, source=None):
    with here.connect(source=source) as peer:
        peer.hello()
        peer.mail("sender@plain.example", ["alice@lab.example"], senders.message("plain.example"))


def of_one_peer(t, here):
    capture = Capture(here, "peer", "--peer", senders.CLIENT_IP)
    talk(here)
    talk(here, senders.UNLISTED_IP)
    refused = here.gateway.tool("capture", "-c", here.gateway.config, f"{here.state}/second", check=False)
    t.contains(refused, "another capture is on", "a second capture is refused meanwhile")
    said = capture.end()
    t.equal(capture.child.returncode, 0, "an interrupt ends it well")
    t.contains(said, " packets, ", "it says how many packets it took")
    segments = [s for s in (tcp4(frame) for _, frame in frames(capture.path)) if s]
    t.equal({s[0] for s in segments}, {senders.CLIENT_IP, senders.GATEWAY_IP},
            "both directions of the peer asked for, and of nobody else")
    heard = b"".join(s[2] for s in segments if s[0] == senders.CLIENT_IP)
    told = b"".join(s[2] for s in segments if s[0] == senders.GATEWAY_IP)
    t.contains(heard, b"MAIL FROM:", "what the client says is in it")
    t.contains(told, b"queued as", "and what it is answered")
    times = [when for when, _ in frames(capture.path)]
    t.ok(times == sorted(times), "in the order of time")
    t.equal(os.stat(capture.path).st_mode & 0o777, 0o600, "the file is its owner's alone")
    if shutil.which("tcpdump"):
        shown = proc.run("tcpdump", "-nr", capture.path, "tcp[tcpflags] & tcp-syn != 0")
        t.contains(shown, f"{senders.GATEWAY_IP}.25", "tcpdump reads it")
    else:
        t.skip("tcpdump reads it", "tcpdump is not installed")


def bounded(t, here):
    capture = Capture(here, "small", "--bytes", "1500")
    talk(here)
    said = capture.end(None)
    t.contains(said, "stopped at --bytes", "it ends by itself at --bytes")
    t.ok(os.path.getsize(capture.path) <= 1500, "and the file is no larger")
    frames(capture.path)
    said = here.gateway.tool("capture", "-c", here.gateway.config, "--seconds", "1", f"{here.state}/short")
    t.contains(said, "packets", "and at --seconds")


def after_the_tool_is_killed(t, here):
    capture = Capture(here, "killed")
    capture.end(signal.SIGKILL)

    def starts():
        return "packets" in here.gateway.tool("capture", "-c", here.gateway.config, "--seconds", "1",
                                              f"{here.state}/next", check=False)
    proc.wait_until(starts, 30, "a capture whose tool is gone makes room", log=here.gateway.log)
    talk(here)
    t.equal(len(here.dovecot.wait_for(4, "alice")), 4, "mail goes on through all of it")


def main():
    with tap.Tests("capture", limit_s=120) as t, lab.temporary() as here:
        of_one_peer(t, here)
        bounded(t, here)
        after_the_tool_is_killed(t, here)


if __name__ == "__main__":
    main()
